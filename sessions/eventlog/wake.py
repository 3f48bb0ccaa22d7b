"""Wakes: hints that a session's head moved. A lost one costs milliseconds, never an event.

Three ways lead here: commits of this process at once; commits of other processes at once through
the Channels layer, where one is configured; and the tail, one query for all subscribed sessions
every TAIL_INTERVAL_S, which needs nothing but the database.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from channels.layers import get_channel_layer

from sessions.core import metrics
from sessions.core.conf import chat, has_layer
from sessions.core.db import in_thread
from sessions.eventlog import store
from sessions.eventlog.events import EventType, LoggedEvent

logger = logging.getLogger(__name__)

# listener(head, events): events are those of one commit when they came along, else None.
Listener = Callable[[int, list[LoggedEvent] | None], None]
# listener(session_id): there may be work for a runner in the session.
WorkListener = Callable[[UUID], None]

# The events that make work for a runner that does not own the session yet.
WORK = frozenset({EventType.USER_MESSAGE})
WORK_GROUP = "chat.work"
# More events than this in one commit travel as a head alone: the others read them from the log.
MAX_EVENTS_IN_WAKE = 64
MAX_UNSENT_WAKES = 1000


class HeadWatch:
    """Tells the listeners of one process when heads move. Used on one event loop."""

    def __init__(self) -> None:
        self._listeners: dict[UUID, set[Listener]] = {}
        self._work_listeners: set[WorkListener] = set()
        self._heads: dict[UUID, int] = {}
        self._layer: Any = get_channel_layer() if has_layer() else None
        self._channel = ""
        self._making_channel = asyncio.Lock()
        self._unsent: asyncio.Queue[tuple[UUID, int, list[LoggedEvent]]] = asyncio.Queue(
            MAX_UNSENT_WAKES
        )
        self._groups: asyncio.Queue[tuple[str, UUID]] = asyncio.Queue()

    def subscribe(self, session_id: UUID, listener: Listener) -> None:
        """Call listener whenever the session's head moves, until it is unsubscribed."""
        if session_id not in self._listeners:
            self._listeners[session_id] = set()
            self._groups.put_nowait(("add", session_id))
        self._listeners[session_id].add(listener)

    def unsubscribe(self, session_id: UUID, listener: Listener) -> None:
        """Stop calling listener for the session."""
        listeners = self._listeners.get(session_id, set())
        listeners.discard(listener)
        if not listeners and session_id in self._listeners:
            del self._listeners[session_id]
            self._heads.pop(session_id, None)
            self._groups.put_nowait(("discard", session_id))

    def subscribe_to_work(self, listener: WorkListener) -> None:
        """Call listener whenever a prompt was accepted; polling remains the safety net."""
        self._work_listeners.add(listener)

    async def run(self) -> None:
        """Listen until cancelled."""
        loop = asyncio.get_running_loop()
        receiver = partial(self._committed_here, loop)
        store.committed.connect(receiver, weak=False, dispatch_uid=id(self))
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._tail(), name="wake-tail")
                if self._layer is not None:
                    tasks.create_task(self._receive(), name="wake-receive")
                    tasks.create_task(self._publish(), name="wake-publish")
                tasks.create_task(self._join_groups(), name="wake-groups")
        finally:
            store.committed.disconnect(dispatch_uid=id(self))

    # Commits of this process, called in the committing thread.

    def _committed_here(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        session_id: UUID,
        head: int,
        events: list[LoggedEvent],
        **_: Any,
    ) -> None:
        try:
            loop.call_soon_threadsafe(self._wake_all, session_id, head, events)
        except RuntimeError:
            # The loop is closing; the next reader reads from the log.
            logger.debug("wake after the loop closed", extra={"session": str(session_id)})

    def _wake_all(self, session_id: UUID, head: int, events: list[LoggedEvent]) -> None:
        self._wake(session_id, head, events, source="local")
        if any(event.type in WORK for event in events):
            self._wake_workers(session_id)
        if self._layer is not None and not self._unsent.full():
            self._unsent.put_nowait((session_id, head, events))

    def _wake(
        self, session_id: UUID, head: int, events: list[LoggedEvent] | None, *, source: str
    ) -> None:
        listeners = self._listeners.get(session_id)
        if not listeners:
            return
        metrics.WAKES.labels(source=source).inc()
        self._heads[session_id] = max(head, self._heads.get(session_id, 0))
        for listener in tuple(listeners):
            try:
                listener(head, events)
            except Exception:
                logger.exception("a wake listener failed", extra={"session": str(session_id)})

    def _wake_workers(self, session_id: UUID) -> None:
        for listener in tuple(self._work_listeners):
            listener(session_id)

    # The tail.

    async def _tail(self) -> None:
        while True:
            await asyncio.sleep(chat.TAIL_INTERVAL_S)
            watched = list(self._listeners)
            if not watched:
                continue
            try:
                heads = await in_thread(store.heads, watched)
            except Exception:
                # The database is away; the next round tries again.
                logger.exception("the tail could not read heads")
                continue
            for session_id, head in heads.items():
                if head > self._heads.get(session_id, 0):
                    self._wake(session_id, head, None, source="tail")

    # The Channels layer.

    async def _join_groups(self) -> None:
        while True:
            change, session_id = await self._groups.get()
            while True:
                if self._layer is None or await self._has_joined(change, session_id):
                    break
                # Until then the tail finds the events.
                await asyncio.sleep(chat.TAIL_INTERVAL_S)

    async def _has_joined(self, change: str, session_id: UUID) -> bool:
        join = self._layer.group_add if change == "add" else self._layer.group_discard
        try:
            await join(_group(session_id), await self._own_channel())
        except Exception as exc:  # noqa: BLE001 (any error of the layer's connection)
            logger.warning(
                "could not join a wake group", extra={"session": str(session_id), "why": str(exc)}
            )
            return False
        return True

    async def _own_channel(self) -> str:
        async with self._making_channel:
            if not self._channel:
                channel = await self._layer.new_channel("chat")
                await self._layer.group_add(WORK_GROUP, channel)
                self._channel = channel
        return self._channel

    async def _receive(self) -> None:
        while True:
            try:
                message = await self._layer.receive(await self._own_channel())
                self._received(message)
            except Exception:
                logger.exception("could not receive a wake")
                await asyncio.sleep(chat.TAIL_INTERVAL_S)

    def _received(self, message: dict[str, Any]) -> None:
        session_id = UUID(message["session"])
        if message["type"] == "chat.work":
            self._wake_workers(session_id)
        elif message["head"] > self._heads.get(session_id, 0):
            rows = message["events"]
            events = [_unpacked(session_id, row) for row in rows] if rows else None
            self._wake(session_id, message["head"], events, source="layer")

    async def _publish(self) -> None:
        while True:
            session_id, head, events = await self._unsent.get()
            few = events if len(events) <= MAX_EVENTS_IN_WAKE else []
            wake = {"type": "chat.head", "session": str(session_id), "head": head}
            try:
                await self._layer.group_send(
                    _group(session_id), wake | {"events": [_packed(event) for event in few]}
                )
                if any(event.type in WORK for event in events):
                    work = {"type": "chat.work", "session": str(session_id)}
                    await self._layer.group_send(WORK_GROUP, work)
            except Exception:
                logger.exception("could not send a wake", extra={"session": str(session_id)})
                await asyncio.sleep(chat.TAIL_INTERVAL_S)


def _group(session_id: UUID) -> str:
    return f"chat.session.{session_id}"


def _packed(event: LoggedEvent) -> list[Any]:
    return [event.seq, event.type, event.ts.isoformat(), event.payload]


def _unpacked(session_id: UUID, row: list[Any]) -> LoggedEvent:
    seq, kind, ts, payload = row
    return LoggedEvent(session_id, seq, kind, datetime.fromisoformat(ts), payload)
