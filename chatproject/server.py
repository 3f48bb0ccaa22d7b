"""daphne with write flow control, bounds on requests, and a stop that says goodbye.

Stock daphne hands every chunk to the transport and never waits: a client that stops reading
makes the server's buffer grow without bound. Here a push producer listens to the transport, and
`send` waits while the transport is full. A request is collected before it is authenticated, so its
size and its time are bounded.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from daphne import server as daphne_server
from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.ws_protocol import WebSocketFactory
from django.conf import settings
from twisted.internet import defer, tcp
from twisted.internet import reactor as installed_reactor
from twisted.internet.interfaces import IPushProducer
from twisted.logger import LogLevel, STDLibLogObserver, formatEvent, globalLogBeginner
from twisted.web import http
from zope.interface import implementer  # type: ignore[import-untyped]  # has none

from chatproject.accepting import pause_while_full
from chatproject.headers import NO_STORE, SECURITY_HEADERS
from sessions.core.conf import chat

logger = logging.getLogger(__name__)

# Twisted types it as its widest interface; it is the asyncio reactor that daphne installs.
reactor: Any = installed_reactor

# How long a stopping server waits for its streams to say goodbye.
GOODBYE_S = 2.0
# Above Django's own limit for bodies, so that a body a little too large is refused in Django's way.
BODY_MARGIN_BYTES = 65_536
# Of a body that is refused, this much is read and dropped: a client that sends all of it before it
# reads would otherwise see a broken connection instead of the answer.
DRAINED_BYTES = 16 * 1024 * 1024

# On the answers that the server gives before any application sees the request.
OWN_HEADERS = (*SECURITY_HEADERS, NO_STORE)

TOO_LARGE = "The body of the request is too large."
TOO_SLOW = "The request did not arrive in time."

AsyncHook = Callable[[], Awaitable[None]]


def max_body_bytes() -> int:
    """Return how many bytes of one request's body are taken."""
    return int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE) + BODY_MARGIN_BYTES


@implementer(IPushProducer)
class WriteGate:
    """Open while the transport takes data; the transport closes and opens it."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()

    def pauseProducing(self) -> None:  # noqa: N802 (Twisted's name)
        """Close the gate: the transport's buffer is full."""
        self._open.clear()

    def resumeProducing(self) -> None:  # noqa: N802 (Twisted's name)
        """Open the gate: the buffer has drained."""
        self._open.set()

    def stopProducing(self) -> None:  # noqa: N802 (Twisted's name)
        """Open the gate permanently: the client is gone."""
        self._open.set()

    async def wait(self) -> None:
        """Return when the transport takes data again, or the connection is gone."""
        await self._open.wait()


class Request(WebRequest):  # type: ignore[misc]  # daphne has no types
    """A request whose streamed answer waits for its reader."""

    gate: WriteGate | None = None
    _body_bytes = 0
    _is_refused = False

    def gotLength(self, length: int | None) -> None:  # noqa: N802 (Twisted's name)
        """Refuse a body that says that it is too long, before it comes."""
        super().gotLength(length)
        if length is not None and length > max_body_bytes():
            self._refuse_body()

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802 (Twisted's name)
        """Take one part of the body; daphne collects the whole of it first."""
        self._body_bytes += len(data)
        if self._body_bytes > max_body_bytes():
            self._refuse_body()
        if not self._is_refused:
            super().handleContentChunk(data)
        elif self._body_bytes > DRAINED_BYTES:
            self.channel.loseConnection()

    def process(self) -> Any:
        """Answer the request, which has arrived; one that was refused has its answer."""
        if self._is_refused:
            self.channel.loseConnection()
            return None
        # daphne would take the beginning of every path from it, from any client.
        self.requestHeaders.removeHeader(b"daphne-root-path")
        return super().process()

    def _refuse_body(self) -> None:
        if not self._is_refused:
            self._is_refused = True
            # A client that waits for "100 Continue" does not send the body after all.
            self.requestHeaders.removeHeader(b"expect")
            self.channel.refuse(b"413 Content Too Large", "body_too_large", TOO_LARGE)

    def handle_reply(self, message: Mapping[str, Any]) -> None:
        """Write one part of the answer; the first streamed part hangs the gate in."""
        if message.get("type") == "http.response.body" and not self._is_over():
            if message.get("more_body"):
                self._hang_gate()
            else:
                self._take_gate_down()
        super().handle_reply(message)

    def connectionLost(self, reason: object) -> None:  # noqa: N802 (Twisted's name)
        """Release the application: its further output is dropped."""
        if self.gate is not None:
            self.gate.stopProducing()
        super().connectionLost(reason)

    def basic_error(self, status: int, status_text: bytes, body: str) -> None:
        """Answer an error of the server's own; JSON where clients expect JSON."""
        if self._is_over() or self._response_started:
            self._cut()
            return
        if b"/api/" in self.path:
            kind = b"application/json"
            code = "invalid_request" if status < 500 else "server_error"
            content = json.dumps({"ok": False, "code": code, "error": body}).encode()
        else:
            kind = b"text/html"
            title = f"{status} {status_text.decode('ascii')}"
            content = (self.error_template % {"title": title, "body": body}).encode()
        headers = [(b"Content-Type", kind + b"; charset=utf-8"), *OWN_HEADERS]
        self.handle_reply({"type": "http.response.start", "status": status, "headers": headers})
        self.handle_reply({"type": "http.response.body", "body": content})

    def _is_over(self) -> bool:
        return bool(self.finished) or self.channel is None

    def _cut(self) -> None:
        # An error in the middle of an answer: ending it properly would call it complete.
        if self.channel is not None:
            self.channel.loseConnection()

    def _hang_gate(self) -> None:
        if self.gate is None:
            self.gate = WriteGate()
            self.registerProducer(self.gate, streaming=True)

    def _take_gate_down(self) -> None:
        if self.gate is not None:
            self.unregisterProducer()
            self.gate.stopProducing()


# Its methods have no types.
HTTPChannel: Any = http.HTTPChannel


class Channel(HTTPChannel):  # type: ignore[misc]  # see above
    """A connection whose requests arrive within a time, however slowly they trickle.

    Twisted gives up a client that is silent for a minute, and waits for one that sends a byte
    before each of its minutes is over.
    """

    _deadline: Any = None
    _has_answered = False

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 (Twisted's name)
        """Take bytes; the first ones of a request start its time."""
        if self._deadline is None and not self._handlingRequest:
            self._deadline = reactor.callLater(chat.REQUEST_TIMEOUT_S, self._give_up)
        super().dataReceived(data)

    def allContentReceived(self) -> None:  # noqa: N802 (Twisted's name)
        """Stop the clock: the request is complete, and its answer may take as long as it wants."""
        self._stop_clock()
        super().allContentReceived()

    def connectionLost(self, reason: Any) -> None:  # noqa: N802 (Twisted's name)
        """Stop the clock."""
        self._stop_clock()
        super().connectionLost(reason)

    def refuse(self, status: bytes, code: str, sentence: str) -> None:
        """Answer a request that has not arrived yet, once; the connection is to be closed then."""
        if self._has_answered:
            return
        self._has_answered = True
        body = json.dumps({"ok": False, "code": code, "error": sentence}).encode()
        self.write(
            b"HTTP/1.1 %s\r\nContent-Type: application/json; charset=utf-8\r\n%s"
            b"Content-Length: %d\r\nConnection: close\r\n\r\n%s"
            % (status, b"".join(b"%s: %s\r\n" % pair for pair in OWN_HEADERS), len(body), body)
        )

    def _give_up(self) -> None:
        self._deadline = None
        self.refuse(b"408 Request Timeout", "request_timeout", TOO_SLOW)
        self.timeoutConnection()

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class EagerTransport(tcp.Server):
    """A connection that sends at once and asks the reactor only when its socket is full.

    Twisted asks first, always: for a small chunk that costs more than the sending.
    """

    _is_waiting = False

    def startWriting(self) -> None:  # noqa: N802 (Twisted's name)
        """Send the buffered data; wait for room when some is left."""
        if self._tempDataLen and not self._is_waiting:
            lost = self.doWrite()  # type: ignore[no-untyped-call]  # Twisted has none
            if lost is None and not self.dataBuffer:
                return
        # Left over, or lost: the reactor tries again, and ends a lost connection.
        self._is_waiting = True
        reactor.addWriter(self)

    def stopWriting(self) -> None:  # noqa: N802 (Twisted's name)
        """Stop waiting for room."""
        if self._is_waiting:
            self._is_waiting = False
            reactor.removeWriter(self)


class Factory(HTTPFactory):  # type: ignore[misc]  # daphne has no types
    """Builds our channels, which make our requests."""

    protocol = Channel

    def buildProtocol(self, addr: object) -> Any:  # noqa: N802 (Twisted's name)
        """Return a channel with our kind of request."""
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = Request
        return protocol


class Server(daphne_server.Server):  # type: ignore[misc]  # daphne has no types
    """The server. `before_stop` runs, bounded, before the applications are cancelled."""

    def __init__(
        self,
        *args: Any,
        listening: socket.socket,
        on_start: Callable[[], None] | None = None,
        before_stop: AsyncHook | None = None,
        **options: Any,
    ) -> None:
        # daphne exits without endpoints; a socket that listens already is one.
        super().__init__(*args, endpoints=["listening"], **options)
        self.loop: asyncio.AbstractEventLoop = daphne_server.twisted_loop
        self.connections: dict[Any, dict[str, Any]] = {}
        self._listening = listening
        self._on_start = on_start
        self._before_stop = before_stop
        self._port: Any = None

    def run(self) -> None:
        """Serve until a signal comes."""
        self.http_factory = Factory(self)
        self.ws_factory = WebSocketFactory(self, server=self.server_name)
        observer: Any = STDLibLogObserver(__name__) if self.verbosity > 1 else _pass_failures_on
        globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False, discardBuffer=True)
        asyncio.set_event_loop(self.loop)
        reactor.callLater(1, self.application_checker)
        reactor.callLater(2, self.timeout_checker)
        self._listen()
        reactor.addSystemEventTrigger("before", "shutdown", self.kill_all_applications)
        if self._on_start is not None:
            # Not Twisted's own hook: that one runs before the loop does.
            self.loop.call_soon(self._on_start)
        # The command that serves binds the signals: Twisted knows no SIGHUP.
        reactor.run(installSignalHandlers=False)

    def _listen(self) -> None:
        self._port = reactor.adoptStreamPort(
            self._listening.fileno(), self._listening.family, self.http_factory
        )
        self._port.transport = EagerTransport
        pause_while_full(self._port, reactor)

    async def handle_reply(self, protocol: Any, message: Mapping[str, Any]) -> None:
        """Pass one message on; wait while the client does not read."""
        await super().handle_reply(protocol, message)
        gate = getattr(protocol, "gate", None)
        if gate is not None and message.get("more_body"):
            await gate.wait()

    def kill_all_applications(self) -> defer.Deferred[None]:
        """End every application before the reactor stops, after a goodbye."""
        loop = asyncio.get_event_loop()
        return defer.Deferred.fromFuture(asyncio.ensure_future(self._wind_down(), loop=loop))

    async def _wind_down(self) -> None:
        self._port.stopListening()
        if self._before_stop is not None:
            try:
                await self._before_stop()
            except Exception:
                logger.exception("the stop was not clean")
        await self._cancel_applications()

    async def _cancel_applications(self) -> None:
        tasks = [
            details["application_instance"]
            for details in self.connections.values()
            if not details.get("application_instance", _DONE).done()
        ]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=GOODBYE_S)


class _Done:
    def done(self) -> bool:
        return True


_DONE = _Done()


def _pass_failures_on(event: Mapping[str, Any]) -> None:
    """Log failures inside Twisted; drop its lines about normal work."""
    if event.get("log_level", LogLevel.info) >= LogLevel.error:
        failure = event.get("log_failure")
        logger.error(
            "Twisted reports a failure: %s",
            formatEvent(dict(event)),
            exc_info=failure and (failure.type, failure.value, failure.getTracebackObject()),
        )
