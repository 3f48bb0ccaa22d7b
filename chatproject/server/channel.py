"""A connection: its requests arrive within a time, however slowly they trickle."""

from __future__ import annotations

import json
from typing import Any, Final

from twisted.web import http

from chatproject.headers import NO_STORE, SECURITY_HEADERS
from chatproject.server.guests import Guest
from chatproject.server.reactor import reactor
from sessions.core.conf import chat

RETRY_AFTER_S: Final = 5
# On the answers that the server gives before any application sees the request.
OWN_HEADERS: Final = (*SECURITY_HEADERS, NO_STORE)

TOO_SLOW: Final = "The request did not arrive in time."
CROWDED: Final = "Too many open connections: try again in a few seconds."
UNREADABLE: Final = "The request cannot be read."

# Its methods have no types.
HTTPChannel: Any = http.HTTPChannel


class Channel(HTTPChannel):  # type: ignore[misc]  # see above
    """A connection whose requests arrive within a time, however slowly they trickle.

    Twisted gives up a client that is silent for a minute, and waits for one that sends a byte
    before each of its minutes is over.
    """

    _deadline: Any = None
    _has_answered = False
    _is_one_too_many = False

    def __init__(self) -> None:
        super().__init__()
        # Of the client at the other end, which may be a proxy.
        self.address = ""
        self.guest = Guest()

    @property
    def path(self) -> str:
        """The path of the request that arrives."""
        return bytes(self._path).partition(b"?")[0].decode("latin1")

    def connectionMade(self) -> None:  # noqa: N802 (Twisted's name)
        """Begin; a connection that is one too many gets its answer with its first bytes."""
        super().connectionMade()
        self._is_one_too_many = not self.guest.enter(self.address, self.transport.fileno())
        if self._is_one_too_many:
            self.setTimeout(RETRY_AFTER_S)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 (Twisted's name)
        """Take bytes; the first ones of a request start its time."""
        if self._is_one_too_many:
            self.refuse(b"503 Service Unavailable", "server_busy", CROWDED)
            self.loseConnection()
            return
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
        self.guest.leave()
        super().connectionLost(reason)

    def headerReceived(self, line: bytes) -> bool:  # noqa: N802 (Twisted's name)
        """Take a header. A proxy may read two lines of Transfer-Encoding in another way."""
        name = line.partition(b":")[0].strip().lower()
        headers = self.requests[-1].requestHeaders
        if name == b"transfer-encoding" and headers.hasHeader(name):
            self._respondToBadRequestAndDisconnect()
            return False
        return bool(super().headerReceived(line))

    def refuse(self, status: bytes, code: str, sentence: str) -> None:
        """Answer a request that has not arrived yet, once; the connection is to be closed then."""
        for request in self.requests[-1:]:
            request.is_refused = True
        if self._has_answered:
            return
        self._has_answered = True
        body = json.dumps({"ok": False, "code": code, "error": sentence}).encode()
        headers = [(b"Content-Type", b"application/json; charset=utf-8"), *OWN_HEADERS]
        if status.startswith(b"503"):
            headers.append((b"Retry-After", b"%d" % RETRY_AFTER_S))
        headers += [(b"Content-Length", b"%d" % len(body)), (b"Connection", b"close")]
        lines = b"".join(b"%s: %s\r\n" % pair for pair in headers)
        self.write(b"HTTP/1.1 %s\r\n%s\r\n%s" % (status, lines, body))

    def _respondToBadRequestAndDisconnect(self) -> None:  # noqa: N802 (Twisted's name)
        """Answer a request that Twisted cannot read; its own answer is empty."""
        self.refuse(b"400 Bad Request", "invalid_request", UNREADABLE)
        self.loseConnection()

    def _give_up(self) -> None:
        self._deadline = None
        self.refuse(b"408 Request Timeout", "request_timeout", TOO_SLOW)
        self.timeoutConnection()

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
