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
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final, Protocol, TypeVar
from uuid import UUID

from sessions.core.conf import chat
from sessions.eventlog import store
from sessions.eventlog.events import LoggedEvent
from transport.frames import encode
from transport.live.catchup import Action, CatchUp
from transport.live.rendition import Rendition
from transport.live.ring import Ring
from transport.models import Watch
from transport.rows import pool
from transport.rows.orders import CatchUpRequest

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
# A snapshot is kept no longer than this: a lost wake must not show an old state to each new stream.
KEPT_S: Final = 30.0

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

    def __init__(
        self,
        session_id: UUID,
        *,
        grown: Callable[[int], None],
        moved: Callable[[UUID], None],
    ) -> None:
        """grown: takes the bytes that were added. moved: is told that the head is another."""
        self.session_id = session_id
        self._grown = grown
        self._moved = moved
        self.readers: set[Reader] = set()
        # The highest head heard of; the ring may be behind it while a hole is filled.
        self.known_head = 0
        self.ring: Ring | None = None
        self.rendition = Rendition(session_id)
        self._filling: asyncio.Task[None] | None = None

    def on_head(self, head: int, events: list[LoggedEvent] | None) -> None:
        """Take a wake, on the loop's thread."""
        self._know(head)
        if self.ring is None:
            # No reader has a place to start from yet; the log has the events.
            return
        if events:
            self._take(events)
        self._fill_holes()

    def start_at(self, cursor: int) -> None:
        """Begin the ring where a reader's catch-up has ended, unless it has begun already."""
        self._know(cursor)
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

    def _know(self, head: int) -> None:
        if head > self.known_head:
            self.known_head = head
            self._moved(self.session_id)

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


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """A full snapshot as one user's stream got it; until: of the monotonic clock."""

    user_id: int | None
    done: CatchUp
    size: int
    until: float


class Kept:
    """The last full snapshot of each watched session, for streams that open before its next event.

    After a restart hundreds of streams of one user ask for the same snapshots.
    """

    def __init__(self) -> None:
        self._snapshots: dict[UUID, _Snapshot] = {}
        self.size = 0

    def keep(self, session_id: UUID, user_id: int | None, done: CatchUp) -> int:
        """Keep a catch-up that is a snapshot alone; return the bytes that it adds."""
        before = self._snapshots.get(session_id)
        if before is not None and before.done is done:
            # A stream that has just taken it makes it no younger.
            return 0
        self.drop(session_id)
        size = sum(map(len, done.chunks))
        self._snapshots[session_id] = _Snapshot(user_id, done, size, monotonic() + KEPT_S)
        self.size += size
        return size

    def find(self, session_id: UUID, user_id: int | None, cursor: int | None) -> CatchUp | None:
        """Return the snapshot for a stream of its user that has nothing yet, or exactly this."""
        kept = self._snapshots.get(session_id)
        if kept is None or kept.user_id != user_id or cursor not in (None, kept.done.cursor):
            return None
        return kept.done

    def expire(self) -> None:
        """Forget the snapshots whose time is over: the first of them are the oldest."""
        now = monotonic()
        while self._snapshots and next(iter(self._snapshots.values())).until <= now:
            self.drop(next(iter(self._snapshots)))

    def drop(self, session_id: UUID) -> None:
        """Forget the snapshot of a session."""
        kept = self._snapshots.pop(session_id, None)
        self.size -= kept.size if kept is not None else 0

    def shrink(self, excess: int) -> int:
        """Forget the oldest ones, of excess bytes at least; return how many bytes they had."""
        before = self.size
        while self._snapshots and before - self.size < excess:
            self.drop(next(iter(self._snapshots)))
        return before - self.size


class Hub:
    """The channels of this process, one per watched session; all on the loop's thread."""

    def __init__(self, wakes: Wakes) -> None:
        self._wakes = wakes
        self._channels: dict[UUID, Channel] = {}
        self._shared: dict[Hashable, asyncio.Task[Any]] = {}
        self._kept = Kept()
        self._added = 0

    def __len__(self) -> int:
        return len(self._channels)

    def attach(self, session_id: UUID, reader: Reader) -> None:
        """Begin to listen. Do it before the catch-up reads, so that no wake falls in between."""
        channel = self._channels.get(session_id)
        if channel is None:
            channel = Channel(session_id, grown=self._grown, moved=self._kept.drop)
            self._channels[session_id] = channel
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
            self._kept.drop(session_id)
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

    def caught_up(self, session_id: UUID, user_id: int | None, done: CatchUp) -> None:
        """Take a catch-up that a reader has sent; keep a snapshot that no event has overtaken."""
        self.start_at(session_id, done.cursor)
        is_newest = self._channels[session_id].known_head == done.cursor
        if done.plan.action is Action.SNAPSHOT and is_newest:
            self._grown(self._kept.keep(session_id, user_id, done))

    def kept(
        self, session_id: UUID, user_id: int | None, request: CatchUpRequest
    ) -> CatchUp | None:
        """Return the kept snapshot of a session if it answers a request of a stream.

        It is at the head that this process knows; the stream gets newer events from the channel.
        Only a new watch takes it: all else may have to repair a lost wake.
        """
        if request.kind is not Watch.Order.WATCH:
            return None
        return self._kept.find(session_id, user_id, request.cursor)

    def trim(self) -> None:
        """Drop the frames that no reader needs; beyond RINGS_BYTES snapshots and the largest rings.

        Called now and then, and when much was added. The readers of a dropped ring read the log.
        """
        self._added = 0
        self._kept.expire()
        for channel in self._channels.values():
            channel.forget_what_all_have()
        rings = [channel.ring for channel in self._channels.values() if channel.ring is not None]
        excess = sum(ring.size for ring in rings) + self._kept.size - chat.RINGS_BYTES
        excess -= self._kept.shrink(excess)
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
