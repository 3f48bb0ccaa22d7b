"""This process's end of the streams: the hub, the open streams, and the loops behind them.

One per event loop. The first stream starts it: a plain ASGI server gives no other moment, and
`serve` starts it before its runner.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine
from contextlib import suppress
from contextvars import Context
from typing import Any, Final, Protocol
from uuid import UUID

from sessions.core.conf import chat, has_layer
from sessions.core.host import FreedMemory
from sessions.core.tasks import TaskSet
from sessions.eventlog.wake import HeadWatch
from transport.asgi import Writer
from transport.live.hub import Hub
from transport.live.orders import Orders
from transport.live.personal import PersonalNews
from transport.live.stream import Stream
from transport.live.watchers import Watchers
from transport.rows import closing, connections, pool, progress, rights
from transport.rows.rights import Right

logger = logging.getLogger(__name__)

# Cursors reach their rows this late: other processes only need to know roughly.
FLUSH_INTERVAL_S: Final = 1.0
# Work that failed while the database was away is tried again after this.
RETRY_S: Final = 1.0
# Below this a spread is not worth a client's waiting.
MIN_SPREAD_MS: Final = 100
# How long a stop waits for its streams to say goodbye.
GOODBYE_S: Final = 1.5


class FeedReader(Protocol):
    """A reader of the plain feed; it has no rows."""

    right: Right
    writer: Writer

    def end(self) -> None:
        """End it."""

    def refuse(self) -> None:
        """End it because its right has lapsed."""


class Node:
    """The streams of one process."""

    def __init__(self, head_watch: HeadWatch | None = None) -> None:
        self.head_watch = head_watch or HeadWatch()
        self.hub = Hub(self.head_watch)
        self.streams: dict[UUID, Stream] = {}
        self.feeds: set[FeedReader] = set()
        self.is_stopping = False
        self._loops: list[asyncio.Task[None]] = []
        self._errands = TaskSet()
        self._freed_memory = FreedMemory()
        self._orders = Orders(self.streams)
        self._personal = PersonalNews(self.streams)
        self._watchers = Watchers(self._errand)
        # Rows of streams that have ended and could not be closed yet, with the reason. As many as
        # there are open rows at most: while the database is away no stream is opened.
        self._unclosed: dict[UUID, str] = {}
        self._all_gone = asyncio.Event()

    def start(self) -> None:
        """Start the loops; a second call changes nothing."""
        if self._loops:
            return
        self._loops = [
            _start(self.head_watch.run(), "head watch"),
            _start(_every(_lease_interval, self._renew), "renew"),
            _start(_every(_lease_interval, self._check_feeds), "feeds"),
            _start(_every(_lease_interval, self._cut_stalled), "stalled"),
            _start(_every(_lease_interval, self._give_memory_back), "memory"),
            _start(_every(lambda: FLUSH_INTERVAL_S, self._flush), "flush"),
            _start(_every(lambda: RETRY_S, self._repair), "repair"),
            _start(_every(_tail_interval, self._orders.tail), "orders"),
            _start(_every(_tail_interval, self._personal.look), "personal"),
        ]
        if has_layer():
            self._loops.append(_start(self._orders.receive_pokes(), "pokes"))
            self._loops.append(_start(self._personal.receive_hints(), "personal-hints"))

    async def say_goodbye(self) -> None:
        """Tell every stream to end and its client to reconnect; wait a moment for them."""
        self.is_stopping = True
        for stream in self.streams.values():
            stream.end(goodbye=True)
        for feed in self.feeds:
            feed.end()
        if self.streams:
            self._all_gone.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(GOODBYE_S):
                    await self._all_gone.wait()

    async def stop(self) -> None:
        """End the loops and close the rows of the streams that are still open."""
        await self.say_goodbye()
        for task in self._loops:
            task.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        self._loops = []
        still_open = dict.fromkeys(self.streams, "server stopped")
        for connection_id, reason in (self._unclosed | still_open).items():
            await self._close_rows(connection_id, reason)
        await self._watchers.count_all()

    # --- Streams ----------------------------------------------------------------------------------

    def add(self, stream: Stream) -> None:
        """Take a stream in; its rows exist already."""
        self.start()
        self.streams[stream.connection_id] = stream

    async def remove(self, stream: Stream, reason: str) -> None:
        """Take a stream out and close its rows; a newer stream's rows are not touched."""
        self.streams.pop(stream.connection_id, None)
        reports = stream.watches.take_progress()
        if reports:
            await self._guarded(progress.flush, reports)
        await self._close_rows(stream.connection_id, reason)
        if not self.streams:
            self._all_gone.set()

    def position(self, connection_id: UUID, session_id: UUID) -> int | None:
        """Return the cursor of a stream of this process; None while it has none, and of others.

        Safe in every thread: it only looks up.
        """
        stream = self.streams.get(connection_id)
        return None if stream is None else stream.position(session_id)

    def spread_ms(self) -> int:
        """Return over how long a time the clients should come back if this process died now.

        0 where all may come at once.
        """
        spread_ms = round(len(self.streams) * 1000 / chat.RETURNS_PER_S)
        return spread_ms if spread_ms >= MIN_SPREAD_MS else 0

    def refresh_presence(self, session_ids: Collection[UUID]) -> None:
        """Count the watchers of sessions again, in the background."""
        self._watchers.refresh(session_ids)

    async def poke(self, connection_id: UUID, process: str) -> None:
        """Tell a stream's owner, this process or another, that an order waits in its rows."""
        if connection_id in self.streams:
            self._errand(self._orders.take([connection_id]))
        else:
            await self._orders.poke(connection_id, process)

    def personal_changed(self) -> None:
        """Tell people's other devices what they have changed, in the background."""
        self._errand(self._personal.look())
        self._errand(self._personal.hint())

    # --- Loops ------------------------------------------------------------------------------------

    async def _renew(self) -> None:
        if not self.streams:
            return
        asked = set(self.streams)
        still_open = await pool.run(connections.renew, asked)
        for connection_id in asked - still_open:
            stream = self.streams.get(connection_id)
            if stream is not None:
                logger.warning("a lease was lost", extra={"connection": str(connection_id)})
                stream.end(goodbye=True)

    async def _check_feeds(self) -> None:
        """End the feeds whose right has lapsed: as late as streams, which are renewed."""
        feeds = list(self.feeds)
        if not feeds:
            return
        lapsed = await pool.run(rights.lapsed, {feed.right for feed in feeds})
        for feed in feeds:
            if feed.right in lapsed:
                feed.refuse()

    async def _cut_stalled(self) -> None:
        """Disconnect the readers, of streams and of feeds, that have stopped reading."""
        readers: list[Stream | FeedReader] = [*self.streams.values(), *self.feeds]
        for reader in readers:
            if reader.writer.stalled_s() > chat.STALL_LIMIT_S:
                logger.info("a stalled reader was disconnected")
                reader.writer.cut()

    async def _give_memory_back(self) -> None:
        await asyncio.to_thread(self._freed_memory.give_back)

    async def _flush(self) -> None:
        self.hub.trim()
        streams = list(self.streams.values())
        reports = [report for stream in streams for report in stream.watches.take_progress()]
        pings = {s.connection_id: s.pinged_at for s in streams if s.pinged_at != s.ping_noted}
        try:
            if reports or pings:
                await pool.run(progress.flush, reports, pings)
        except Exception:
            for report in reports:
                if report.connection_id in self.streams:
                    self.streams[report.connection_id].watches.give_back(report)
            raise
        for stream in streams:
            stream.ping_noted = pings.get(stream.connection_id, stream.ping_noted)

    async def _repair(self) -> None:
        """Close rows and count watchers where that has failed: presence follows in seconds."""
        for connection_id, reason in list(self._unclosed.items()):
            # One that fails again ends this turn: the next would wait for the database too.
            self._closed(connection_id, await pool.run(closing.close, connection_id, reason))
        self._watchers.refresh()

    # --- Rows -------------------------------------------------------------------------------------

    async def _close_rows(self, connection_id: UUID, reason: str) -> None:
        self._unclosed[connection_id] = reason
        watched = await self._guarded(closing.close, connection_id, reason)
        if watched is not None:
            self._closed(connection_id, watched)

    def _closed(self, connection_id: UUID, watched: Collection[UUID]) -> None:
        """Note that rows are closed, and that fewer may watch these sessions."""
        self._unclosed.pop(connection_id, None)
        self._watchers.left(watched, is_soon=not self.is_stopping)

    async def _guarded(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run database work whose failure the loops repair."""
        try:
            return await pool.run(function, *args)
        except Exception:
            logger.exception("a row was not written", extra={"work": function.__name__})
            return None

    def _errand(self, work: Coroutine[Any, Any, None]) -> None:
        self._errands.start(work, name="errand")


def _start(work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    # Its own context: the work is for all streams, not for the first one.
    return asyncio.get_running_loop().create_task(work, name=name, context=Context())


async def _every(interval_s: Callable[[], float], work: Callable[[], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(interval_s())
        try:
            await work()
        except Exception:
            logger.exception("a background loop failed once", extra={"loop": work.__name__})


def _lease_interval() -> float:
    return chat.LEASE_S / 3


def _tail_interval() -> float:
    return chat.TAIL_INTERVAL_S


# By the loop itself, not by its id: a later loop may get the same id.
_nodes: dict[asyncio.AbstractEventLoop, Node] = {}


def current() -> Node:
    """Return the node of the running loop; the first call makes it."""
    node = _nodes.get(asyncio.get_running_loop())
    if node is None:
        node = Node()
        use(node)
    return node


def use(node: Node) -> None:
    """Make node the one of the running loop, and forget those of loops that have ended."""
    for loop in [loop for loop in _nodes if loop.is_closed()]:
        del _nodes[loop]
    _nodes[asyncio.get_running_loop()] = node
