"""The live events of one stream: its sessions that have moved, and their next frames."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from transport import frames
from transport.asgi import Writer
from transport.errors import ReaderBehind
from transport.live.hub import Hub
from transport.live.watches import Watches
from transport.rows.orders import LAG, CatchUpRequest


class Forward:
    """Takes new events from the hub when the reader has room for them; it holds none."""

    def __init__(
        self,
        *,
        hub: Hub,
        watches: Watches,
        writer: Writer,
        wake: Callable[[], None],
        catch_up: Callable[[UUID, CatchUpRequest], None],
    ) -> None:
        """wake: has `send` called soon. catch_up: takes over where the ring has moved on."""
        self._hub = hub
        self._watches = watches
        self._writer = writer
        self._wake = wake
        self._catch_up = catch_up
        self._moved: set[UUID] = set()

    def note(self, session_id: UUID) -> None:
        """Note that a session has moved."""
        self._moved.add(session_id)
        self._wake()

    def forget(self, session_id: UUID) -> None:
        """Drop the note of a session."""
        self._moved.discard(session_id)

    def at_once(self, session_id: UUID) -> bool:
        """Write the next chunk of a session; return False where the reader has no room for it.

        Only while nothing else is being written.
        """
        if not self._writer.has_room:
            return False
        if chunk := self._next_chunk(session_id):
            self._writer.at_once(chunk)
        if self._writer.is_full:
            self._wake()
        return True

    async def send(self) -> None:
        """Send one chunk of every session that has moved, about CHUNK_BYTES at a time."""
        moved, self._moved = self._moved, set()
        chunks: list[bytes] = []
        for session_id in moved:
            if chunk := self._next_chunk(session_id):
                chunks.append(chunk)
            if sum(map(len, chunks)) >= frames.CHUNK_BYTES:
                await self._writer(_joined(chunks))
                chunks = []
        if chunks:
            await self._writer(_joined(chunks))

    def _next_chunk(self, session_id: UUID) -> bytes:
        following = self._watches.ready(session_id)
        if following is None or following.cursor is None:
            return b""
        try:
            chunk, cursor = self._hub.chunk(session_id, following.cursor)
        except ReaderBehind:
            self._catch_up(session_id, LAG)
            return b""
        if cursor != following.cursor:
            following.moved(cursor)
            if self._hub.has_more(session_id, cursor):
                self.note(session_id)
        return chunk


def _joined(chunks: list[bytes]) -> bytes:
    # One session is the common case: all its readers then write the same bytes object.
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
