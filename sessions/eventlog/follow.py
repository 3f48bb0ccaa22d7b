"""Following one session's log from a seq on: chosen types of events, in order, as they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection
from functools import partial
from typing import Final
from uuid import UUID

from sessions.core.db import retry_while_down
from sessions.eventlog import store
from sessions.eventlog.events import EventType, LoggedEvent
from sessions.eventlog.wake import HeadWatch

READ_EVENTS: Final = 100


async def follow(
    session_id: UUID, watch: HeadWatch, *, after: int, types: Collection[EventType]
) -> AsyncGenerator[LoggedEvent, None]:
    """Yield the events of these types behind seq `after`, until it is closed.

    The log is read once at the beginning and then only when a wake may concern these types; the
    tail of watch is the safety net. A database that is away is waited for.
    """
    ear = _Ear(types)
    watch.subscribe(session_id, ear.on_head)
    try:
        while True:
            await ear.wait()
            read = partial(store.read, session_id, after=after, limit=READ_EVENTS, types=types)
            events = await retry_while_down(read)
            for event in events:
                after = event.seq
                yield event
            if len(events) == READ_EVENTS:
                ear.listen_again()
    finally:
        watch.unsubscribe(session_id, ear.on_head)


class _Ear:
    """Knows whether an event of the types may have come since the last read."""

    def __init__(self, types: Collection[EventType]) -> None:
        self._types = types
        self._known_head = 0
        self._maybe = asyncio.Event()
        self._maybe.set()

    def on_head(self, head: int, events: list[LoggedEvent] | None) -> None:
        # Another process may have appended between two commits of this one: an event of the types
        # may be in a hole before these events.
        is_gapless = events is not None and events[0].seq <= self._known_head + 1
        if not is_gapless or any(event.type in self._types for event in events or ()):
            self._maybe.set()
        self._known_head = max(self._known_head, head)

    def listen_again(self) -> None:
        self._maybe.set()

    async def wait(self) -> None:
        await self._maybe.wait()
        self._maybe.clear()
