"""The ring: the newest frames of one session, encoded once for all its readers.

Readers hold a cursor, not a queue: reading takes nothing out. A reader whose cursor is older
than the ring is behind and goes through catch-up.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from transport.errors import ReaderBehind
from transport.frames import CHUNK_BYTES

# Readers of one session stand at very few different cursors: most are at its head.
_CACHED_CHUNKS: Final = 4


class Ring:
    """Frames of the consecutive seqs first..last. last moves up only."""

    def __init__(self, *, last: int, max_events: int, max_bytes: int) -> None:
        self.last = last
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._frames: list[bytes] = []
        self._bytes = 0
        # Keyed by (from, to): five hundred readers at one cursor share one bytes object.
        self._chunks: OrderedDict[tuple[int, int], tuple[bytes, int]] = OrderedDict()

    @property
    def size(self) -> int:
        """The bytes of its frames and of the chunks that are made of them."""
        return self._bytes + sum(len(chunk) for chunk, _ in self._chunks.values())

    @property
    def first(self) -> int:
        """The oldest seq in the ring; last + 1 while it is empty."""
        return self.last - len(self._frames) + 1

    def extend(self, frames: Sequence[bytes]) -> None:
        """Add the frames of the seqs last + 1, last + 2, …; drop the oldest beyond the bounds."""
        self._frames.extend(frames)
        self.last += len(frames)
        self._bytes += sum(map(len, frames))
        self._trim()

    def forget(self, upto: int) -> None:
        """Drop the frames up to a seq."""
        count = min(len(self._frames), max(0, upto - self.first + 1))
        if count:
            self._bytes -= sum(map(len, self._frames[:count]))
            del self._frames[:count]
            self._chunks.clear()

    def jump(self, last: int) -> None:
        """Leave out everything up to last: every reader below it is behind from now on."""
        self.last = last
        self._frames.clear()
        self._bytes = 0
        self._chunks.clear()

    def chunk(self, after: int) -> tuple[bytes, int]:
        """Return the joined frames after a cursor, about CHUNK_BYTES, and the cursor behind them.

        Return (b"", after) when there is nothing new. Raises ReaderBehind.
        """
        if after >= self.last:
            return b"", after
        start = after + 1 - self.first
        if start < 0:
            raise ReaderBehind
        if after + 1 == self.last:
            return self._frames[-1], self.last
        key = (after, self.last)
        cached = self._chunks.get(key)
        if cached is None:
            cached = self._join(start)
            self._chunks[key] = cached
            if len(self._chunks) > _CACHED_CHUNKS:
                self._chunks.popitem(last=False)
        return cached

    def _join(self, start: int) -> tuple[bytes, int]:
        stop = start
        size = 0
        while stop < len(self._frames):
            size += len(self._frames[stop])
            if size > CHUNK_BYTES and stop > start:
                break
            stop += 1
        return b"".join(self._frames[start:stop]), self.first + stop - 1

    def _trim(self) -> None:
        excess = max(0, len(self._frames) - self._max_events)
        size = self._bytes - sum(map(len, self._frames[:excess]))
        while size > self._max_bytes and excess < len(self._frames) - 1:
            size -= len(self._frames[excess])
            excess += 1
        if excess:
            del self._frames[:excess]
            self._bytes = size
