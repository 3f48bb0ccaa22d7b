"""The last words of a program: its error output is read to its end, and the tail of it is kept."""

from __future__ import annotations

import asyncio

# Enough for the last stack trace of an agent; the part before it is dropped.
TAIL_BYTES = 64 * 1024
_PIECE_BYTES = 256 * 1024
# The last words of a dead agent are still in the pipe: they belong into the error message.
_REST_S = 1.0


class Tail:
    """The end of a stream, which never waits for us."""

    def __init__(self, stream: asyncio.StreamReader, *, name: str) -> None:
        self._kept = bytearray()
        self._reading = asyncio.create_task(self._read(stream), name=name)

    def lines(self, count: int) -> str:
        """Return the last lines, for an error message."""
        text = self._kept.decode("utf-8", "replace")
        return "\n".join(text.splitlines()[-count:]).strip()

    async def end(self) -> None:
        """Take the rest of a stream whose writer has ended, but not for long."""
        await asyncio.wait([self._reading], timeout=_REST_S)
        self._reading.cancel()

    async def _read(self, stream: asyncio.StreamReader) -> None:
        while chunk := await stream.read(_PIECE_BYTES):
            self._kept += chunk
            del self._kept[:-TAIL_BYTES]
