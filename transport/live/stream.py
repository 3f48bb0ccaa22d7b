"""The life of one stream: welcome, catch-up, live events, pings, goodbye.

A stream is one coroutine that sleeps until something wakes it. It keeps a cursor per session and
no queue: whatever is new, it takes from the hub when its reader has room for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.utils import timezone

from sessions.core import metrics
from sessions.core.conf import chat
from sessions.core.errors import UnknownSession
from sessions.eventlog.events import VERSION, encode_frame, timestamp
from transport.live.catchup import CatchUp, SkipReason, catch_up
from transport.live.hub import Hub
from transport.live.ring import ReaderBehind
from transport.rows import pool
from transport.rows.connections import Progress

logger = logging.getLogger(__name__)

Write = Callable[[bytes], Awaitable[None]]

# What a native EventSource waits before it reconnects by itself.
RETRY_MS: Final = 1000
# A catch-up whose database failed is tried again after this.
RETRY_S: Final = 1.0
MAX_PROBES: Final = 8


class Cause(StrEnum):
    """Why a session is to be caught up."""

    ASKED = "asked"
    LAG = "lag"
    SYNC = "sync"
    RESYNC = "resync"


@dataclass(frozen=True, slots=True)
class Task:
    """One catch-up to be done. version: the order in the Watch row that it answers.

    upto, max_gap: how far periodic sync wants to go, and the gap that it skips at.
    """

    cause: Cause
    cursor: int | None = None
    version: int = 0
    upto: int | None = None
    max_gap: int | None = None


@dataclass(slots=True)
class Following:
    """What the stream knows of one watched session. cursor None: not caught up yet."""

    cursor: int | None = None
    replayed: int = 0
    skipped: int = 0
    # decided_at None: the row has the decision already.
    decision: str = ""
    decided_at: datetime | None = None
    done_version: int = 1
    # Something here is newer than the Watch row; counts are what came since the last flush.
    is_dirty: bool = False

    def note(self, done: CatchUp, version: int) -> None:
        """Take the outcome of a catch-up."""
        metrics.CATCH_UPS.labels(kind=str(done.plan.action)).inc()
        metrics.EVENTS_DELIVERED.inc(done.replayed)
        if done.skipped:
            metrics.EVENTS_SKIPPED.labels(reason=str(done.plan.reason)).inc(done.skipped)
        self.cursor = done.cursor
        self.replayed += done.replayed
        self.skipped += done.skipped
        self.decision = done.decision
        self.decided_at = timezone.now()
        self.done_version = max(self.done_version, version)
        self.is_dirty = True


class Stream:
    """One open stream. Everything runs on the loop's thread; `run` is its only writer."""

    def __init__(
        self, connection_id: UUID, *, hub: Hub, write: Write, spread_ms: Callable[[], int]
    ) -> None:
        self.connection_id = connection_id
        self.following: dict[UUID, Following] = {}
        self.was_cut = False
        # When the reader last took a ping, and which of these times its row has.
        self.pinged_at: datetime | None = None
        self.ping_noted: datetime | None = None
        self._hub = hub
        self._send = write
        self._spread_ms = spread_ms
        self._writing_since: float | None = None
        self._running: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._tasks: dict[UUID, Task] = {}
        # The newest order taken of each session; an older one that arrives later is dropped.
        self._orders_taken: dict[UUID, int] = {}
        self._unwatched: list[Progress] = []
        # Sessions that an order has ended, still to be told.
        self._left: list[UUID] = []
        self._moved: set[UUID] = set()
        self._rejected: list[str] = []
        self._probes: deque[str] = deque(maxlen=MAX_PROBES)
        self._ping_is_due = False
        self._is_ending = False
        self._says_goodbye = False
        self._timer: asyncio.TimerHandle | None = None

    # What others may ask; each only notes it and wakes the coroutine.

    def wake(self, session_id: UUID) -> None:
        """Note that a session has moved: the hub calls it."""
        self._moved.add(session_id)
        self._wake.set()

    def position(self, session_id: UUID) -> int | None:
        """Return the cursor that the stream has of a session."""
        following = self.following.get(session_id)
        return None if following is None else following.cursor

    def watch(self, session_id: UUID, task: Task) -> None:
        """Follow a session from now on, or catch it up again."""
        if self._is_ending:
            return
        if session_id not in self.following:
            self.following[session_id] = Following()
            # Before the catch-up reads: a wake that comes in between is not lost.
            self._hub.attach(session_id, self)
        following = self.following[session_id]
        if task.cause is Cause.SYNC and (session_id in self._tasks or following.cursor is None):
            # A catch-up that the client waits for does what periodic sync wants, and more.
            following.done_version = max(following.done_version, task.version)
            following.is_dirty = True
            return
        self._tasks[session_id] = task
        self._wake.set()

    def unwatch(self, session_id: UUID, version: int = 0) -> None:
        """Stop following a session. version: the order that asked for it."""
        following = self.following.pop(session_id, None)
        if following is not None:
            self._hub.detach(session_id, self)
        left = following or Following()
        left.done_version = max(left.done_version, version)
        self._unwatched.append(self._report(session_id, left))
        self._tasks.pop(session_id, None)
        self._moved.discard(session_id)
        if version and not self._is_ending:
            # A client that still wants it watches it again: the wish may be an old one, come late.
            self._left.append(session_id)
            self._wake.set()

    def has_sent(self, session_id: UUID, upto: int | None, version: int) -> bool:
        """Return whether the stream is past what periodic sync ordered; note the order as done.

        The usual case: the rows that sync reads are a little older than the stream.
        """
        following = self.following.get(session_id)
        if following is None or following.cursor is None or upto is None:
            return False
        if following.cursor < upto:
            return False
        following.done_version = max(following.done_version, version)
        following.is_dirty = True
        return True

    def take_order(self, session_id: UUID, version: int) -> bool:
        """Return whether an order is newer than those taken, and take it."""
        if version <= self._orders_taken.get(session_id, 0):
            return False
        self._orders_taken[session_id] = version
        return True

    def take_progress(self) -> list[Progress]:
        """Return what is newer than the rows, and take it for written."""
        progress, self._unwatched = self._unwatched, []
        for session_id, following in self.following.items():
            if following.is_dirty:
                progress.append(self._report(session_id, following))
                following.is_dirty = False
                following.replayed = following.skipped = 0
                following.decided_at = None
        return progress

    def give_back(self, progress: Progress) -> None:
        """Take back what could not be written; it goes with the next flush."""
        following = self.following.get(progress.session_id)
        if following is None:
            self._unwatched.append(progress)
            return
        following.is_dirty = True
        following.replayed += progress.replayed
        following.skipped += progress.skipped
        following.decided_at = following.decided_at or progress.decided_at

    def _report(self, session_id: UUID, following: Following) -> Progress:
        return Progress(
            connection_id=self.connection_id,
            session_id=session_id,
            cursor_sent=following.cursor,
            replayed=following.replayed,
            skipped=following.skipped,
            decision=following.decision if following.decided_at else "",
            decided_at=following.decided_at,
            done_version=following.done_version,
        )

    def reject(self, name: str) -> None:
        """Tell that a session may not be watched here."""
        self._rejected.append(name)
        self._wake.set()

    def probe(self, nonce: str) -> None:
        """Send a nonce back."""
        self._probes.append(nonce)
        self._wake.set()

    def end(self, *, goodbye: bool = False) -> None:
        """End the stream; with goodbye the client is told to reconnect at once."""
        self._is_ending = True
        self._says_goodbye = self._says_goodbye or goodbye
        self._wake.set()

    def cut(self) -> None:
        """End the stream although its reader does not read."""
        self.was_cut = True
        if self._running is not None:
            self._running.cancel()

    def stalled_s(self) -> float:
        """Return how long the stream has waited for its reader; 0 while it does not."""
        if self._writing_since is None:
            return 0.0
        return asyncio.get_running_loop().time() - self._writing_since

    # Its life.

    async def run(self) -> None:
        """Serve until the client is gone or `end` is called."""
        self._running = asyncio.current_task()
        await self._write(welcome_frame(self.connection_id, self._spread_ms()))
        self._schedule_ping()
        try:
            # What may not be watched is known already: no need to wait for the catch-ups.
            await self._answer()
            while self._tasks and not self._is_ending:
                await self._catch_up_next()
            while not self._is_ending:
                await self._wake.wait()
                self._wake.clear()
                await self._answer()
                await self._catch_up_next()
                await self._forward()
            if self._says_goodbye:
                await self._write(frame("going_away"))
        finally:
            self._release()

    async def _write(self, chunk: bytes) -> None:
        self._writing_since = asyncio.get_running_loop().time()
        await self._send(chunk)
        self._writing_since = None

    async def _answer(self) -> None:
        """Send what carries no events: rejections, probes, a ping."""
        is_ping, self._ping_is_due = self._ping_is_due, False
        frames = [rejected_frame(name) for name in self._rejected]
        frames += [frame("unwatched", sessionId=str(left)) for left in self._left]
        frames += [frame("probe", nonce=nonce) for nonce in self._probes]
        self._rejected.clear()
        self._left.clear()
        self._probes.clear()
        if is_ping:
            frames.append(ping_frame(self._spread_ms()))
        if frames:
            await self._write(b"".join(frames))
        if is_ping:
            self.pinged_at = timezone.now()

    async def _catch_up_next(self) -> None:
        """Do the oldest waiting catch-up; one at a time, so that live sessions are not held up."""
        if not self._tasks or self._is_ending:
            return
        session_id = next(iter(self._tasks))
        task = self._tasks.pop(session_id)
        self._wake.set()
        cursor = self.following[session_id].cursor
        try:
            done = await self._hub.share(
                (session_id, task.cause, task.cursor, task.upto, task.max_gap, cursor),
                partial(pool.run, _execute, session_id, task, cursor),
            )
        except UnknownSession:
            self.unwatch(session_id)
            self.reject(str(session_id))
            return
        except Exception:
            logger.exception(
                "a catch-up failed",
                extra={"connection": str(self.connection_id), "session": str(session_id)},
            )
            self._retry_later(session_id, task)
            return
        for chunk in done.chunks:
            await self._write(chunk)
        self._caught_up(session_id, task, done)

    def _caught_up(self, session_id: UUID, task: Task, done: CatchUp) -> None:
        following = self.following.get(session_id)
        if following is None:
            return  # unwatched meanwhile
        following.note(done, task.version)
        self._hub.start_at(session_id, done.cursor)
        self.wake(session_id)

    def _retry_later(self, session_id: UUID, task: Task) -> None:
        def retry() -> None:
            if session_id in self.following and session_id not in self._tasks:
                self.watch(session_id, task)

        asyncio.get_running_loop().call_later(RETRY_S, retry)

    async def _forward(self) -> None:
        """Send one chunk of every session that has moved."""
        if self._is_ending:
            return
        moved, self._moved = self._moved, set()
        chunks = []
        for session_id in moved:
            chunk = self._next_chunk(session_id)
            if chunk:
                chunks.append(chunk)
        if chunks:
            # One session is the common case: all its readers then write the same bytes object.
            await self._write(chunks[0] if len(chunks) == 1 else b"".join(chunks))

    def _next_chunk(self, session_id: UUID) -> bytes:
        following = self.following.get(session_id)
        if following is None or following.cursor is None or session_id in self._tasks:
            return b""  # its catch-up is still to come
        try:
            chunk, cursor = self._hub.chunk(session_id, following.cursor)
        except ReaderBehind:
            self._tasks[session_id] = Task(Cause.LAG)
            self._wake.set()
            return b""
        if cursor != following.cursor:
            metrics.EVENTS_DELIVERED.inc(cursor - following.cursor)
            following.cursor = cursor
            following.is_dirty = True
            if self._hub.has_more(session_id, cursor):
                self.wake(session_id)
        return chunk

    def _schedule_ping(self) -> None:
        def due() -> None:
            self._ping_is_due = True
            self._wake.set()
            self._schedule_ping()

        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(chat.HEARTBEAT_INTERVAL_S, due)

    def _release(self) -> None:
        self._is_ending = True
        if self._timer is not None:
            self._timer.cancel()
        for session_id in list(self.following):
            self._hub.detach(session_id, self)


def _execute(session_id: UUID, task: Task, cursor: int | None) -> CatchUp:
    """Run one catch-up, in the pool."""
    if task.cause is Cause.ASKED:
        return catch_up(session_id, cursor=task.cursor, max_gap=chat.MAX_REPLAY_GAP)
    if task.cause is Cause.LAG:
        return catch_up(
            session_id,
            cursor=cursor,
            max_gap=chat.MAX_REPLAY_GAP,
            skip_reason=SkipReason.SLOW_READER,
        )
    if task.cause is Cause.RESYNC:
        return catch_up(session_id, cursor=cursor, max_gap=chat.MAX_REPLAY_GAP)
    # Periodic sync saw the cursor of the row, which may be older or, after a reconnect that went
    # back, newer than the stream's: the stream's own counts. A client at head gets nothing.
    return catch_up(
        session_id,
        cursor=cursor,
        max_gap=chat.MAX_REPLAY_GAP if task.max_gap is None else task.max_gap,
        upto=task.upto,
        connecting=False,
    )


def welcome_frame(connection_id: UUID, spread_ms: int) -> bytes:
    """Return the first frame of a stream. spread_ms: as of Node.spread_ms."""
    data: dict[str, Any] = {
        "protocol": VERSION,
        "connectionId": str(connection_id),
        "heartbeatMs": round(chat.HEARTBEAT_INTERVAL_S * 1000),
        "maxReplayGap": chat.MAX_REPLAY_GAP,
        "spreadMs": spread_ms,
        "serverTime": timestamp(timezone.now()),
    }
    return encode_frame(data, event="welcome", retry_ms=RETRY_MS)


def ping_frame(spread_ms: int) -> bytes:
    """Return the sign of life. spread_ms: as of Node.spread_ms."""
    data: dict[str, Any] = {"serverTime": timestamp(timezone.now()), "spreadMs": spread_ms}
    return encode_frame(data, event="ping")


def frame(kind: str, **fields: object) -> bytes:
    """Return a frame that is no event of a log."""
    return encode_frame({"v": VERSION, "type": kind, **fields})


def rejected_frame(name: str) -> bytes:
    """Return the answer to a watch that is not allowed."""
    return frame("watch_rejected", sessionId=name, code=UnknownSession.code)
