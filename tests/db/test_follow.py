"""Following a log by wakes: no polling, no hole, and the tail as the safety net."""

import asyncio
from contextlib import aclosing

import pytest
from django.contrib.auth import get_user_model

from sessions.core.db import in_thread
from sessions.eventlog import drafts, store
from sessions.eventlog import follow as followed
from sessions.eventlog.events import EventType, StopReason
from sessions.eventlog.follow import follow
from sessions.eventlog.wake import HeadWatch
from sessions.models import Session

pytestmark = pytest.mark.django_db(transaction=True)

ENDS = frozenset({EventType.TURN_END})
NOTE = drafts.error(code="note", error="x")
END = drafts.turn_end(turn_id="t", stop_reason=StopReason.END_TURN)


@pytest.fixture
async def session_id():
    def made():
        owner = get_user_model().objects.create_user("owner")
        return Session.objects.create(owner=owner, agent="demo").pk

    return await in_thread(made)


@pytest.fixture
async def watch():
    running = HeadWatch()
    task = asyncio.create_task(running.run())
    yield running
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def reads(monkeypatch):
    """The cursors at which the log was read."""
    counted = []

    def read(session_id, *, after, **rest):
        counted.append(after)
        return store.read(session_id, after=after, **rest)

    monkeypatch.setattr(followed, "store", type("Counted", (), {"read": staticmethod(read)}))
    return counted


async def append(session_id, *what):
    return await in_thread(store.append, session_id, list(what))


async def first_end(session_id, watch, *, after):
    async with (
        asyncio.timeout(30),
        aclosing(follow(session_id, watch, after=after, types=ENDS)) as f,
    ):
        return (await anext(f)).seq


async def test_what_is_there_already_is_found_by_the_first_read(session_id, watch, reads):
    await append(session_id, NOTE, END)
    assert await first_end(session_id, watch, after=0) == 2
    assert len(reads) == 1


async def test_a_wait_reads_at_its_begin_and_at_a_wake_that_concerns_it(session_id, watch, reads):
    waiting = asyncio.create_task(first_end(session_id, watch, after=0))
    for _ in range(20):
        await append(session_id, NOTE)
    await append(session_id, END)
    assert await waiting == 21
    # The first commit of a log that the wait does not know yet may have a hole before it.
    assert len(reads) <= 3


async def test_without_a_wake_the_tail_finds_the_event(session_id, watch, settings, monkeypatch):
    settings.CHAT = {"TAIL_INTERVAL_S": 0.01}
    monkeypatch.setattr(store.committed, "send_robust", lambda **_: [])
    waiting = asyncio.create_task(first_end(session_id, watch, after=0))
    await append(session_id, END)
    assert await waiting == 1


async def test_a_log_that_is_closed_is_not_watched_any_more(session_id, watch):
    await append(session_id, END)
    await first_end(session_id, watch, after=0)
    assert watch._listeners == {}
