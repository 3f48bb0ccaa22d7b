"""Closing a session, and agents that nobody watches."""

import asyncio
import os
import threading
import uuid

import pytest
from django.db import connections, transaction

from lab.rig.waiting import PATIENCE_S
from sessions.agents.processes import scope
from sessions.agents.processes.group import AgentProcess
from sessions.control import lifecycle
from sessions.control import settings as changes
from sessions.control.send import send_message
from sessions.core.db import in_thread
from sessions.models import Session
from tests.agents.left_over import left_behind, processes_of
from tests.support.running import Chat, assert_well_formed

pytestmark = pytest.mark.django_db(transaction=True)


async def is_closed(chat: Chat, *receipts):
    """Everything that ran and waited was answered, and then the session ended."""
    session_id = receipts[0].session_id
    for receipt in receipts:
        assert (await chat.settled(receipt))["promptState"] == "answered"
    await chat.until(session_id, lambda s: s["state"] == "ENDED")
    events = await chat.events(session_id)
    assert reasons(events)[-1] == "closed"
    assert processes_of(session_id) == []
    assert_well_formed(events)


def reasons(events):
    return [e.payload["reason"] for e in events if e.type == "session_state_changed"]


async def close(chat: Chat, receipt):
    await in_thread(changes.close, user=chat.user, session_id=receipt.session_id)


@pytest.mark.parametrize("ask", [changes.close, changes.archive])
async def test_a_session_closed_while_its_agent_starts_answers_what_waits_and_ends(chat: Chat, ask):
    first = await chat.send("/slow 5")
    await chat.until(first.session_id, lambda s: s["state"] == "STARTING")
    second = await chat.send("/slow 1", first.session_id)
    await in_thread(ask, user=chat.user, session_id=first.session_id)
    await is_closed(chat, first, second)


@pytest.mark.parametrize("cancels", [1, 2])
async def test_a_start_that_is_cancelled_behind_the_fork_leaves_no_process(
    tmp_path, monkeypatch, cancels
):
    """Before the process had its control group, nothing knew of it that could end it."""
    session_id = uuid.uuid4()
    forked, go_on = threading.Event(), threading.Event()

    def slow(_name: str) -> None:
        forked.set()
        go_on.wait(PATIENCE_S)

    monkeypatch.setattr(scope, "make", slow)
    start = AgentProcess.spawn(
        ("sleep", "600"), cwd=tmp_path, env=os.environ | {"BACKSTAY_SESSION": str(session_id)}
    )
    starting = asyncio.create_task(start)
    assert await asyncio.to_thread(forked.wait, PATIENCE_S)
    assert processes_of(session_id)
    for _ in range(cancels):
        starting.cancel()
        await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE_S):
        while processes_of(session_id):
            await asyncio.sleep(0.02)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await starting


async def test_a_session_closed_before_its_agent_starts_answers_and_ends(chat: Chat):
    @transaction.atomic
    def sent_and_closed():
        receipt = send_message(
            user=chat.user, client_msg_id="c", session_id=None, text="/slow 1", agent="demo"
        )
        changes.close(user=chat.user, session_id=receipt.session_id)
        return receipt

    await is_closed(chat, await in_thread(sent_and_closed))


@pytest.mark.parametrize("background", [0, 1], ids=["detached", "suspended"])
async def test_a_session_closed_in_mid_answer_answers_what_waits_and_ends(chat: Chat, background):
    first = await chat.send("/slow 40")
    await chat.answering(first.session_id)
    counts = {"foreground": 0, "background": background}
    await in_thread(lifecycle.set_presence, first.session_id, **counts)
    second = await chat.send("/slow 1", first.session_id)
    await close(chat, first)
    await is_closed(chat, first, second)


async def test_an_idle_suspended_session_that_is_closed_ends_and_the_next_prompt_reopens_it(
    chat: Chat,
):
    first = await chat.send("/slow 1")
    await chat.settled(first)
    await in_thread(lifecycle.set_presence, first.session_id, foreground=0, background=1)
    await close(chat, first)
    await is_closed(chat, first)
    second = await chat.send("/slow 1", first.session_id)
    assert (await chat.settled(second))["promptState"] == "answered"
    # Its answer is no end any more: the close is done.
    third = await chat.send("/slow 1", first.session_id)
    assert (await chat.settled(third))["promptState"] == "answered"
    events = await chat.events(first.session_id)
    assert reasons(events).count("closed") == 3  # active, closing, ended
    assert len([e for e in events if e.type == "agent_started"]) == 2


async def test_a_close_outlives_the_runner_that_had_not_carried_it_out(chat: Chat):
    @transaction.atomic
    def left() -> tuple:
        receipts = left_behind(chat)
        changes.close(user=chat.user, session_id=receipts[0].session_id)
        return receipts

    _, waiting = await in_thread(left)
    await is_closed(chat, waiting)


# --- Who watches --------------------------------------------------------------------------------


async def test_a_watcher_who_is_counted_while_the_agent_comes_up_stays_counted(
    chat: Chat, monkeypatch
):
    set_presence = lifecycle.set_presence
    counting: list[threading.Thread] = []

    def count(session_id):
        try:
            set_presence(session_id, foreground=1, background=0)
        finally:
            connections.close_all()

    def overtaken(session_id, **counts):
        counting.append(threading.Thread(target=count, args=[session_id]))
        counting[0].start()
        counting[0].join(1)  # it waits for the lock where there is one
        return set_presence(session_id, **counts)

    monkeypatch.setattr(lifecycle, "set_presence", overtaken)
    receipt = await chat.send("/slow 1")
    await chat.settled(receipt)
    await asyncio.to_thread(counting[0].join, 20)
    session = await in_thread(Session.objects.get, pk=receipt.session_id)
    assert (session.foreground, session.state) == (1, "ACTIVE")
    assert session.unwatched_since is None


async def test_an_idle_agent_that_nobody_watches_is_closed_and_a_watched_one_stays(
    chat: Chat, settings
):
    watched, left = await chat.send("/slow 1"), await chat.send("/slow 1")
    await in_thread(lifecycle.set_presence, watched.session_id, foreground=1, background=0)
    await chat.settled(watched)
    settings.CHAT = settings.CHAT | {"IDLE_TTL_S": 1}
    await chat.settled(left)
    # Both have been idle for the same time, the watched one for longer.
    again = await chat.send("/slow 1", left.session_id)
    await chat.settled(again)
    await chat.until(left.session_id, lambda s: s["state"] == "ENDED")
    assert reasons(await chat.events(left.session_id))[-1] == "idle"
    assert (await chat.snapshot(watched.session_id))["state"] == "ACTIVE"
    assert processes_of(watched.session_id)
    await in_thread(lifecycle.set_presence, watched.session_id, foreground=0, background=0)
    await chat.until(watched.session_id, lambda s: s["state"] == "ENDED")
    assert reasons(await chat.events(watched.session_id))[-1] == "idle"
    assert processes_of(watched.session_id) == []
