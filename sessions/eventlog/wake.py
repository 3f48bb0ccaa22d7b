"""Wakes: hints that a session's head moved. A lost one costs milliseconds, never an event.

Three ways lead here: commits of this process at once; hints of other processes through the Channels
layer, where one is configured; and the tail, every TAIL_INTERVAL_S, which needs nothing but the
database. A hint and the tail say where to look. Heads and events come from the log alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Final
from uuid import UUID

from sessions.core import metrics
from sessions.core.conf import chat, has_layer
from sessions.core.db import in_thread
from sessions.core.layer.wakes import LayerWakes
from sessions.core.tasks import Gathering
from sessions.eventlog import store
from sessions.eventlog.events import EventType, LoggedEvent

logger = logging.getLogger(__name__)

# listener(head, events): events are the newest ones up to head where they are few, else None.
Listener = Callable[[int, list[LoggedEvent] | None], None]
# listener(session_id): there may be work for a runner in the session.
WorkListener = Callable[[UUID], None]

# The events that make work for a runner that does not own the session yet.
WORK = frozenset({EventType.USER_MESSAGE})
# Sessions that are said to have work and were not told on yet.
MAX_WORK: Final = 1000
# The first look after a hint is at once; a flood of hints is one look in this time.
LOOK_PAUSE_S: Final = 0.01


class HeadWatch:
    """Tells the listeners of one process when heads move. Used on one event loop."""

    def __init__(self) -> None:
        self._listeners: dict[UUID, set[Listener]] = {}
        self._work_listeners: set[WorkListener] = set()
        # As the log has them: no hint is believed.
        self._heads: dict[UUID, int] = {}
        # Sessions to look at, each with the source of the hint.
        self._hints: Gathering[tuple[UUID, str]] = Gathering()
        self._work: set[UUID] = set()
        self._layer = (
            LayerWakes(moved=self._hinted, work=self._hinted_work) if has_layer() else None
        )

    def subscribe(self, session_id: UUID, listener: Listener) -> None:
        """Call listener whenever the session's head moves, until it is unsubscribed."""
        if session_id not in self._listeners:
            self._listeners[session_id] = set()
            if self._layer is not None:
                self._layer.join(session_id)
        self._listeners[session_id].add(listener)

    def unsubscribe(self, session_id: UUID, listener: Listener) -> None:
        """Stop calling listener for the session."""
        listeners = self._listeners.get(session_id, set())
        listeners.discard(listener)
        if not listeners and session_id in self._listeners:
            del self._listeners[session_id]
            self._heads.pop(session_id, None)
            if self._layer is not None:
                self._layer.leave(session_id)

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
                tasks.create_task(self._look_where_hinted(), name="wake-look")
                if self._layer is not None:
                    tasks.create_task(self._layer.run(), name="wake-layer")
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
        is_work = any(event.type in WORK for event in events)
        if is_work:
            self._wake_workers(session_id)
        if self._layer is not None:
            self._layer.tell(session_id, head, is_work=is_work)

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

    # Hints.

    async def _tail(self) -> None:
        while True:
            await asyncio.sleep(chat.TAIL_INTERVAL_S)
            self._hints.add((session_id, "tail") for session_id in self._listeners)

    def _hinted(self, session_id: UUID, head: int) -> None:
        # A process hears its own wakes, too: it knows these heads already.
        if session_id in self._listeners and head > self._heads.get(session_id, 0):
            self._hints.add([(session_id, "layer")])

    def _hinted_work(self, session_id: UUID) -> None:
        if self._work_listeners and len(self._work) < MAX_WORK:
            self._work.add(session_id)
            self._hints.add([(session_id, "work")])

    async def _look_where_hinted(self) -> None:
        while True:
            hints = dict(await self._hints.take())
            work, self._work = self._work, set()
            for session_id in work:
                self._wake_workers(session_id)
            known = {sid: self._heads.get(sid, 0) for sid in hints if sid in self._listeners}
            try:
                news = await in_thread(store.news, known) if known else []
            except Exception:
                # The database is away; the next round tries again.
                logger.exception("the log could not be read after a hint")
                news = []
            for session_id, head, events in news:
                if head > self._heads.get(session_id, 0):
                    self._wake(session_id, head, events, source=hints[session_id])
            await asyncio.sleep(LOOK_PAUSE_S)
