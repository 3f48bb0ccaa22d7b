"""A connection: sends at once while its socket has room, and outlives a lack of memory."""

from __future__ import annotations

from twisted.internet import tcp
from twisted.internet.error import ConnectionDone, ConnectionLost

from chatproject.server.reactor import reactor
from sessions.core.reserves.memory import spare_memory


class EagerTransport(tcp.Server):
    """A connection that sends at once and asks the reactor only when its socket is full.

    Twisted asks first, always: for a small chunk that costs more than the sending.
    """

    _is_waiting = False
    _has_received = False

    # The mixin that aborts connections has no types.
    def doRead(self) -> ConnectionLost | ConnectionDone | None:  # type: ignore[override]  # noqa: N802
        """Read what has come; without memory for it, let the reserve go and leave it in the socket.

        Twisted would drop the connection. Raises MemoryError where there was no reserve to let go,
        or where bytes were received already.
        """
        self._has_received = False
        try:
            return super().doRead()
        except MemoryError:
            if not spare_memory.let_go() or self._has_received:
                raise
            return None

    def _dataReceived(self, data: bytes | None) -> ConnectionDone | None:  # noqa: N802 (Twisted's name)
        self._has_received = True
        return super()._dataReceived(data)

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
