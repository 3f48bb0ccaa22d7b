"""What is asked of a live session: read from its own log, where any process may have put it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from uuid import UUID

from sessions.control import prompts
from sessions.core.conf import chat
from sessions.core.db import until_up
from sessions.eventlog import store
from sessions.eventlog.events import EventType, LoggedEvent
from sessions.eventlog.wake import HeadWatch

ASKING = frozenset(
    {
        EventType.USER_MESSAGE,
        EventType.INTERRUPT_REQUESTED,
        EventType.PERMISSION_RESOLVED,
        EventType.MODE_CHANGED,
        EventType.SESSION_STATE_CHANGED,
    }
)
READ_EVENTS = 100


async def asked(session_id: UUID, watch: HeadWatch) -> AsyncIterator[LoggedEvent]:
    """Yield the asking events of a session for good, in order, as they come.

    From the oldest prompt on that no agent has had yet: what was asked before a runner claimed
    the session is heard too. Raises what the database does when it is away for LEASE_S: then the
    session is another runner's.
    """
    ear = _Ear()
    watch.subscribe(session_id, ear.on_head)
    try:
        cursor = await until_up(partial(_start, session_id), within_s=chat.LEASE_S)
        while True:
            await ear.wait()
            read = partial(_read, session_id, cursor)
            events = await until_up(read, within_s=chat.LEASE_S)
            for event in events:
                cursor = event.seq
                yield event
            if len(events) == READ_EVENTS:
                ear.listen_again()
    finally:
        watch.unsubscribe(session_id, ear.on_head)


class _Ear:
    """Knows whether something may have been asked since it was last looked for."""

    def __init__(self) -> None:
        self._known_head = 0
        self._maybe = asyncio.Event()
        self._maybe.set()

    def on_head(self, head: int, events: list[LoggedEvent] | None) -> None:
        # Another process may have appended between two commits of this one: what was asked may
        # be in a hole before these events.
        is_gapless = events is not None and events[0].seq <= self._known_head + 1
        if not is_gapless or any(event.type in ASKING for event in events or ()):
            self._maybe.set()
        self._known_head = max(self._known_head, head)

    def listen_again(self) -> None:
        self._maybe.set()

    async def wait(self) -> None:
        await self._maybe.wait()
        self._maybe.clear()


def _start(session_id: UUID) -> int:
    prompt = prompts.next_accepted(session_id)
    return prompt.seq if prompt else store.get_head_seq(session_id)


def _read(session_id: UUID, cursor: int) -> list[LoggedEvent]:
    return store.read(session_id, after=cursor, limit=READ_EVENTS, types=ASKING)
