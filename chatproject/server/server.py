"""The server: it listens, serves, and stops with a goodbye."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from daphne import server as daphne_server
from daphne.http_protocol import HTTPFactory
from daphne.ws_protocol import WebSocketFactory
from twisted.internet import defer
from twisted.logger import LogLevel, STDLibLogObserver, formatEvent, globalLogBeginner

from chatproject.assets import ahead
from chatproject.door import BECOMES_KNOWN
from chatproject.server.accepting import pause_while_full
from chatproject.server.channel import Channel
from chatproject.server.gate import parts_of
from chatproject.server.reactor import reactor
from chatproject.server.request import Request
from chatproject.server.transport import EagerTransport
from sessions.core.reserves.memory import spare_memory
from transport.asgi import OUTPUT

logger = logging.getLogger(__name__)

# How long a stopping server waits for its streams to say goodbye.
GOODBYE_S = 2.0

AsyncHook = Callable[[], Awaitable[None]]


class Factory(HTTPFactory):  # type: ignore[misc]  # daphne has no types
    """Builds our channels, which make our requests."""

    protocol = Channel

    def buildProtocol(self, addr: object) -> Any:  # noqa: N802 (Twisted's name)
        """Return a channel with our kind of request."""
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = Request
        protocol.address = str(getattr(addr, "host", ""))
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
        self._packing: asyncio.Task[None] | None = None

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
        self._packing = self.loop.create_task(ahead.pack(), name="pack the files of the page")
        # The command that serves binds the signals: Twisted knows no SIGHUP.
        reactor.run(installSignalHandlers=False)

    def _listen(self) -> None:
        self._port = reactor.adoptStreamPort(
            self._listening.fileno(), self._listening.family, self.http_factory
        )
        self._port.transport = EagerTransport
        pause_while_full(self._port, reactor)

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        """Start the application of a request, which tells when its user is known."""
        channel = getattr(protocol, "channel", None)
        if channel is not None:
            scope[BECOMES_KNOWN] = channel.guest.becomes_known
            scope[OUTPUT] = protocol
        return super().create_application(protocol, scope)

    async def handle_reply(self, protocol: Any, message: Mapping[str, Any]) -> None:
        """Pass one message on, in parts; wait while the client does not read."""
        for part in parts_of(message):
            await super().handle_reply(protocol, part)
            if part.get("more_body") and isinstance(protocol, Request):
                await protocol.wait_for_reader()

    def kill_all_applications(self) -> defer.Deferred[None]:
        """End every application before the reactor stops, after a goodbye."""
        loop = asyncio.get_event_loop()
        return defer.Deferred.fromFuture(asyncio.ensure_future(self._wind_down(), loop=loop))

    async def _wind_down(self) -> None:
        self._port.stopListening()
        if self._packing is not None:
            self._packing.cancel()
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
        if failure and failure.check(MemoryError):
            spare_memory.let_go()
        logger.error(
            "Twisted reports a failure: %s",
            formatEvent(dict(event)),
            exc_info=failure and (failure.type, failure.value, failure.getTracebackObject()),
        )
