"""This process's end of the streams: the hub, the open streams, and the loops behind them.

One per event loop. The first stream starts it: a plain ASGI server gives no other moment, and
`serve` starts it before its runner.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import Any, Final, Protocol
from uuid import UUID

from channels.layers import get_channel_layer

from sessions.core.conf import chat, has_layer
from sessions.core.host import PROCESS
from sessions.eventlog.wake import HeadWatch
from transport.live.hub import Hub
from transport.live.stream import Cause, Stream, Task
from transport.models import Watch
from transport.rows import connections, pool, presence, rights
from transport.rows.connections import Ordered
from transport.rows.rights import Right

logger = logging.getLogger(__name__)

# Cursors reach their rows this late: other processes only need to know roughly.
FLUSH_INTERVAL_S: Final = 1.0
# What a database that was away has left undone is tried again after this.
RETRY_S: Final = 1.0
# A reload closes one stream and opens the next: without this pause each would write "nobody
# watches" and "somebody watches" into the log.
LEAVE_GRACE_S: Final = 1.5
# Below this a spread is not worth a client's waiting.
MIN_SPREAD_MS: Final = 100
# What a stop waits for its streams to say goodbye.
GOODBYE_S: Final = 1.5


def _group(process: str) -> str:
    return "transport.process." + "".join(c if c.isalnum() else "-" for c in process)


_CAUSES: Final = {Watch.Order.SYNC: Cause.SYNC, Watch.Order.RESYNC: Cause.RESYNC}


class Ending(Protocol):
    """A reader that the node can end; it has no rows."""

    right: Right

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
        self.feeds: set[Ending] = set()
        self.is_stopping = False
        self._loops: list[asyncio.Task[None]] = []
        self._errands: set[asyncio.Task[None]] = set()
        self._leavers: set[UUID] = set()
        # Rows of streams that have ended and could not be closed yet, with the reason. As many as
        # there are open rows at most: while the database is away no stream is opened.
        self._unclosed: dict[UUID, str] = {}
        # Sessions whose watchers are to be counted anew.
        self._uncounted: set[UUID] = set()
        self._is_counting = False
        self._all_gone = asyncio.Event()

    def start(self) -> None:
        """Start the loops; a second call changes nothing."""
        if self._loops:
            return
        loop = asyncio.get_running_loop()
        self._loops = [
            loop.create_task(self.head_watch.run(), name="head watch"),
            loop.create_task(self._every(self._lease_interval, self._renew), name="renew"),
            loop.create_task(self._every(self._lease_interval, self._check_feeds), name="feeds"),
            loop.create_task(self._every(lambda: FLUSH_INTERVAL_S, self._flush), name="flush"),
            loop.create_task(self._every(lambda: RETRY_S, self._make_good), name="make good"),
            loop.create_task(self._every(_tail_interval, self._tail_orders), name="orders"),
        ]
        if has_layer():
            self._loops.append(loop.create_task(self._receive_pokes(), name="pokes"))

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
        """End the loops and close the rows of whatever is still open."""
        await self.say_goodbye()
        for task in self._loops:
            task.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        self._loops = []
        still_open = dict.fromkeys(self.streams, "server stopped")
        for connection_id, reason in (self._unclosed | still_open).items():
            await self._close_rows(connection_id, reason)
        self._uncounted |= self._leavers
        await self._count_presence()

    # Streams.

    def add(self, stream: Stream) -> None:
        """Take a stream in; its rows exist already."""
        self.start()
        self.streams[stream.connection_id] = stream

    async def remove(self, stream: Stream, reason: str) -> None:
        """Take a stream out and close its rows; a newer stream's rows are not touched."""
        self.streams.pop(stream.connection_id, None)
        progress = stream.take_progress()
        if progress:
            await self._guarded(connections.flush, progress)
        await self._close_rows(stream.connection_id, reason)
        if not self.streams:
            self._all_gone.set()

    def spread_ms(self) -> int:
        """Return over how long a time the clients should come back if this process died now.

        0 where all may come at once.
        """
        spread_ms = round(len(self.streams) * 1000 / chat.RETURNS_PER_S)
        return spread_ms if spread_ms >= MIN_SPREAD_MS else 0

    def refresh_presence(self, session_ids: Collection[UUID]) -> None:
        """Count watchers anew, in the background."""
        self._uncounted.update(session_ids)
        if self._uncounted and not self._is_counting:
            self._is_counting = True
            self._errand(self._count_presence())

    async def _count_presence(self) -> None:
        """Count until nobody waits: those who come while one count runs share the next.

        When a thousand clients come back at once, a count for each is most of the work; and an
        older count cannot overtake a newer one.
        """
        try:
            while self._uncounted:
                session_ids, self._uncounted = self._uncounted, set()
                try:
                    await pool.run(presence.refresh, session_ids)
                except Exception:
                    logger.exception("watchers were not counted")
                    self._uncounted |= session_ids
                    return
        finally:
            self._is_counting = False

    async def poke(self, connection_id: UUID, process: str) -> None:
        """Tell a stream's owner, this process or another, that an order waits in its rows."""
        if connection_id in self.streams:
            self._errand(self._take_orders([connection_id]))
        elif has_layer() and process != PROCESS:
            message = {"type": "transport.poke", "connection": str(connection_id)}
            try:
                await get_channel_layer().group_send(_group(process), message)
            except Exception:
                # The owner's own tail finds the order a little later.
                logger.warning("could not poke a process", exc_info=True)

    # Loops.

    async def _every(
        self, interval_s: Callable[[], float], work: Callable[[], Awaitable[None]]
    ) -> None:
        while True:
            await asyncio.sleep(interval_s())
            try:
                await work()
            except Exception:
                logger.exception("a background loop failed once", extra={"loop": work.__name__})

    def _lease_interval(self) -> float:
        return chat.LEASE_S / 3

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
        for connection_id, stream in list(self.streams.items()):
            if stream.stalled_s() > chat.STALL_LIMIT_S:
                logger.info("a reader is given up", extra={"connection": str(connection_id)})
                stream.cut()

    async def _check_feeds(self) -> None:
        """End the feeds whose right has lapsed: as late as streams, which are renewed."""
        feeds = list(self.feeds)
        if not feeds:
            return
        lapsed = await pool.run(rights.lapsed, {feed.right for feed in feeds})
        for feed in feeds:
            if feed.right in lapsed:
                feed.refuse()

    async def _flush(self) -> None:
        self.hub.trim()
        streams = list(self.streams.values())
        progress = [item for stream in streams for item in stream.take_progress()]
        pings = {s.connection_id: s.pinged_at for s in streams if s.pinged_at != s.ping_noted}
        try:
            if progress or pings:
                await pool.run(connections.flush, progress, pings)
        except Exception:
            for item in progress:
                if item.connection_id in self.streams:
                    self.streams[item.connection_id].give_back(item)
            raise
        for stream in streams:
            stream.ping_noted = pings.get(stream.connection_id, stream.ping_noted)

    async def _make_good(self) -> None:
        """Close rows and count watchers where that has failed: presence follows in seconds."""
        for connection_id, reason in list(self._unclosed.items()):
            # One that fails again ends this turn: the next would wait for the database too.
            self._closed(connection_id, await pool.run(connections.close, connection_id, reason))
        self.refresh_presence(())

    async def _tail_orders(self) -> None:
        """Find orders that nobody told of: those of other processes, without Redis or lost."""
        if not self.streams:
            return
        await self._take_orders(None)

    async def _take_orders(self, connection_ids: Collection[UUID] | None) -> None:
        for order in await pool.run(connections.pending_orders, connection_ids):
            self._apply(order)
        probed = connection_ids or await pool.run(connections.waiting_probes)
        if not probed:
            return
        for connection_id, nonces in (await pool.run(connections.take_probes, probed)).items():
            stream = self.streams.get(connection_id)
            if stream is not None:
                for nonce in nonces:
                    stream.probe(nonce)

    def _apply(self, order: Ordered) -> None:
        stream = self.streams.get(order.connection_id)
        if stream is None or not stream.take_order(order.session_id, order.version):
            return
        if order.kind is Watch.Order.UNWATCH:
            stream.unwatch(order.session_id, order.version)
            return
        is_sync = order.kind is Watch.Order.SYNC
        if is_sync and stream.has_sent(order.session_id, order.upto, order.version):
            return
        cause = _CAUSES.get(order.kind, Cause.ASKED)
        task = Task(cause, order.cursor, order.version, order.upto, order.max_gap)
        stream.watch(order.session_id, task)

    async def _receive_pokes(self) -> None:
        layer: Any = get_channel_layer()
        while True:
            try:
                channel = await layer.new_channel("transport")
                await layer.group_add(_group(PROCESS), channel)
                while True:
                    message = await layer.receive(channel)
                    await self._take_orders([UUID(message["connection"])])
            except Exception:
                logger.exception("could not receive pokes")
                await asyncio.sleep(chat.TAIL_INTERVAL_S)

    # Rows.

    async def _close_rows(self, connection_id: UUID, reason: str) -> None:
        self._unclosed[connection_id] = reason
        watched = await self._guarded(connections.close, connection_id, reason)
        if watched is not None:
            self._closed(connection_id, watched)

    def _closed(self, connection_id: UUID, watched: Collection[UUID]) -> None:
        """Note that rows are closed, and that fewer may watch these sessions."""
        self._unclosed.pop(connection_id, None)
        self._leavers.update(watched)
        if watched and not self.is_stopping:
            self._errand(self._leave_later())

    async def _leave_later(self) -> None:
        await asyncio.sleep(LEAVE_GRACE_S)
        leavers, self._leavers = self._leavers, set()
        self.refresh_presence(leavers)

    async def _guarded(self, function: Callable[..., Any], *args: Any) -> Any:
        """Run database work whose failure the safety nets make good."""
        try:
            return await pool.run(function, *args)
        except Exception:
            logger.exception("a row was not written", extra={"work": function.__name__})
            return None

    def _errand(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)


def _tail_interval() -> float:
    return chat.TAIL_INTERVAL_S


_nodes: dict[int, Node] = {}


def current() -> Node:
    """Return the node of the running loop; the first call makes it."""
    loop = asyncio.get_running_loop()
    node = _nodes.get(id(loop))
    if node is None:
        node = _nodes[id(loop)] = Node()
    return node


def use(node: Node) -> None:
    """Make node the one of the running loop."""
    _nodes[id(asyncio.get_running_loop())] = node
