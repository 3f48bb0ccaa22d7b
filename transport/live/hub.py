"""Fan-out: one process and its readers of each session.

One channel per watched session: a ring of frames, filled by wakes. A wake is a hint: one that is
lost, late or out of order is repaired by reading the log, and never becomes a hole.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Hashable, Sequence
from contextlib import closing
from contextvars import Context
from typing import Any, Final, Protocol, TypeVar
from uuid import UUID

from sessions.core.conf import chat
from sessions.eventlog import store
from sessions.eventlog.events import LoggedEvent
from transport.frames import encode
from transport.live.rendition import Rendition
from transport.live.ring import Ring
from transport.rows import pool

logger = logging.getLogger(__name__)

# So much of RINGS_BYTES may be added between two looks at all rings.
LOOK_SHARE: Final = 8
# A burst that another process has written is read on from the log up to this distance, so that
# readers who keep up see every event of it; farther away it is jumped over.
MAX_FILL_EVENTS: Final = 20_000
# One read of the log while a channel fills a hole.
READ_EVENTS: Final = 500
# A database that does not answer is asked again, but not in a busy loop.
RETRY_S: Final = 0.5

R = TypeVar("R")
Listener = Callable[[int, list[LoggedEvent] | None], None]


class Wakes(Protocol):
    """The port to sessions.eventlog.wake: it says when a head has moved."""

    def subscribe(self, session_id: UUID, listener: Listener) -> None:
        """Call listener whenever the session's head moves."""

    def unsubscribe(self, session_id: UUID, listener: Listener) -> None:
        """Stop calling it."""


class Reader(Protocol):
    """A reader of channels: a stream, or a plain feed."""

    def wake(self, session_id: UUID) -> None:
        """Note that a session has moved; must be cheap and must not raise."""

    def position(self, session_id: UUID) -> int | None:
        """Return the reader's cursor, None while it has none."""


class Channel:
    """One watched session of this process."""

    def __init__(self, session_id: UUID, *, grown: Callable[[int], None]) -> None:
        self.session_id = session_id
        self._grown = grown
        self.readers: set[Reader] = set()
        # The highest head heard of; the ring may be behind it while a hole is filled.
        self.known_head = 0
        self.ring: Ring | None = None
        self.rendition = Rendition(session_id)
        self._filling: asyncio.Task[None] | None = None

    def on_head(self, head: int, events: list[LoggedEvent] | None) -> None:
        """Take a wake, on the loop's thread."""
        self.known_head = max(self.known_head, head)
        if self.ring is None:
            # No reader has a place to start from yet; the log has the events.
            return
        if events:
            self._take(events)
        self._fill_holes()

    def start_at(self, cursor: int) -> None:
        """Begin the ring where a reader's catch-up has ended, unless it has begun already."""
        self.known_head = max(self.known_head, cursor)
        if self.ring is None:
            self.ring = Ring(last=cursor, max_events=chat.RING_EVENTS, max_bytes=chat.RING_BYTES)
        self._fill_holes()

    def forget_what_all_have(self) -> None:
        """Drop the frames that every reader has: an idle session costs no memory."""
        if self.ring is None or self.ring.first > self.ring.last:
            return
        places = (reader.position(self.session_id) for reader in self.readers)
        self.ring.forget(min((place for place in places if place is not None), default=0))

    def stop(self) -> None:
        """End the channel's own tasks; the last reader is gone."""
        self.rendition.stop()
        if self._filling is not None:
            self._filling.cancel()

    def _take(self, events: Sequence[LoggedEvent]) -> None:
        """Add the events that follow the ring without a hole; drop those that it has."""
        ring = self.ring
        if ring is None:
            return
        fresh = [event for event in events if event.seq > ring.last]
        if not fresh or fresh[0].seq != ring.last + 1:
            return
        rendered = self.rendition.take(fresh)
        first, *others = map(encode, fresh)
        frames = [rendered + first, *others]
        ring.extend(frames)
        for reader in self.readers:
            reader.wake(self.session_id)
        self._grown(sum(map(len, frames)))

    def _fill_holes(self) -> None:
        if self.ring is None or self.ring.last >= self.known_head:
            return
        if self._filling is None or self._filling.done():
            self._filling = asyncio.get_running_loop().create_task(
                self._fill(self.ring), name=f"fill {self.session_id}", context=Context()
            )

    async def _fill(self, ring: Ring) -> None:
        """Read the events that no wake has brought from the log, up to the known head.

        Not beyond: a batch of periodic sync ends where it was told to end.
        """
        while ring.last < self.known_head:
            if self.known_head - ring.last > MAX_FILL_EVENTS:
                self._jump(ring, self.known_head)
                return
            try:
                limit = min(READ_EVENTS, self.known_head - ring.last)
                events = await pool.run(_next, self.session_id, after=ring.last, limit=limit)
            except Exception:
                logger.exception("cannot read the log", extra={"session": str(self.session_id)})
                events = []
            before = ring.last
            self._take(_unbroken(events))
            if ring.last == before:
                await self._jump_or_wait(ring, events)

    async def _jump_or_wait(self, ring: Ring, events: list[LoggedEvent]) -> None:
        """Leave a pruned range out, or wait for the database: nothing followed the ring."""
        if events and events[0].seq > ring.last + 1:
            self._jump(ring, events[0].seq - 1)
            return
        await asyncio.sleep(RETRY_S)

    def _jump(self, ring: Ring, last: int) -> None:
        """Leave out everything up to last."""
        ring.jump(last)
        self.rendition.forget()
        self._wake_all()

    def _wake_all(self) -> None:
        for reader in self.readers:
            reader.wake(self.session_id)


def _next(session_id: UUID, *, after: int, limit: int) -> list[LoggedEvent]:
    """Return the next events of the log: at most limit and RING_BYTES, one at least."""
    batches = store.batches(session_id, after=after, limit=limit, max_bytes=chat.RING_BYTES)
    with closing(batches):
        return next(batches, [])


def _unbroken(events: list[LoggedEvent]) -> list[LoggedEvent]:
    """Return the events before the first that was pruned."""
    return [event for place, event in enumerate(events) if event.seq == events[0].seq + place]


class Hub:
    """The channels of this process, one per watched session; all on the loop's thread."""

    def __init__(self, wakes: Wakes) -> None:
        self._wakes = wakes
        self._channels: dict[UUID, Channel] = {}
        self._shared: dict[Hashable, asyncio.Task[Any]] = {}
        self._added = 0

    def __len__(self) -> int:
        return len(self._channels)

    def attach(self, session_id: UUID, reader: Reader) -> None:
        """Begin to listen. Do it before the catch-up reads, so that no wake falls in between."""
        channel = self._channels.get(session_id)
        if channel is None:
            channel = self._channels[session_id] = Channel(session_id, grown=self._grown)
            self._wakes.subscribe(session_id, channel.on_head)
        channel.readers.add(reader)

    def detach(self, session_id: UUID, reader: Reader) -> None:
        """Stop listening; the last reader takes the channel along."""
        channel = self._channels.get(session_id)
        if channel is None:
            return
        channel.readers.discard(reader)
        if not channel.readers:
            del self._channels[session_id]
            self._wakes.unsubscribe(session_id, channel.on_head)
            channel.stop()

    def start_at(self, session_id: UUID, cursor: int) -> None:
        """Tell the cursor that a reader's catch-up ended with."""
        self._channels[session_id].start_at(cursor)

    def chunk(self, session_id: UUID, after: int) -> tuple[bytes, int]:
        """Return the next frames after a cursor and the cursor behind them, b"" when none.

        Raises ReaderBehind when the ring has moved past the cursor.
        """
        ring = self._channels[session_id].ring
        return (b"", after) if ring is None else ring.chunk(after)

    def rendered(self, session_id: UUID) -> bytes:
        """Return the frames of the open answer's HTML, for a reader that has caught up."""
        return self._channels[session_id].rendition.whole()

    async def share(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, R]]) -> R:
        """Return the result of work; those that ask for the same meanwhile share it.

        After a restart all readers of a session come back at one moment and at one cursor. A
        result that was begun before a reader has attached is as good: newer events come from the
        channel.
        """
        running = self._shared.get(key)
        if running is None:
            running = asyncio.get_running_loop().create_task(work(), name="shared catch-up")
            self._shared[key] = running
            running.add_done_callback(lambda _: self._shared.pop(key, None))
        # One reader that goes away does not take the others' result along.
        result: R = await asyncio.shield(running)
        return result

    def trim(self) -> None:
        """Drop the frames that no reader needs, and the largest rings beyond RINGS_BYTES.

        Called now and then, and when much was added. The readers of a dropped ring read the log.
        """
        self._added = 0
        for channel in self._channels.values():
            channel.forget_what_all_have()
        rings = [channel.ring for channel in self._channels.values() if channel.ring is not None]
        excess = sum(ring.size for ring in rings) - chat.RINGS_BYTES
        for ring in sorted(rings, key=lambda ring: ring.size, reverse=True):
            if excess <= 0:
                break
            excess -= ring.size
            ring.forget(ring.last)

    def _grown(self, size: int) -> None:
        self._added += size
        if self._added > chat.RINGS_BYTES // LOOK_SHARE:
            self.trim()

    def has_more(self, session_id: UUID, after: int) -> bool:
        """Return whether the ring holds, or has moved past, something after a cursor."""
        ring = self._channels[session_id].ring
        return ring is not None and ring.last > after
