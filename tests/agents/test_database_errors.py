"""One error of the database makes no session deaf and loses no request."""

import asyncio
import itertools

import pytest
from django.db import OperationalError

from sessions.control import permissions, prompts
from sessions.control.interrupt import InterruptOutcome
from sessions.eventlog import follow
from sessions.runner import inbox, live_session
from sessions.runner.agent import asked
from tests.agents.left_over import processes_of
from tests.support.running import Chat, assert_well_formed, prompt_of

pytestmark = pytest.mark.django_db(transaction=True)


def failing_once(function):
    """Return function, whose first call finds the database away."""
    calls = itertools.count(1)

    def call(*args, **kwargs):
        if next(calls) == 1:
            raise OperationalError("server closed the connection")
        return function(*args, **kwargs)

    return call


@pytest.mark.parametrize(("module", "step"), [(inbox, "_start"), (follow.store, "read")])
async def test_a_request_is_heard_although_the_database_was_away(
    chat: Chat, monkeypatch, module, step
):
    monkeypatch.setattr(module, step, failing_once(getattr(module, step)))
    receipt = await chat.send("/slow 4000")
    await chat.answering(receipt.session_id)
    assert await chat.interrupt(receipt.session_id) == InterruptOutcome(interrupted=True)


@pytest.mark.parametrize("state", ["RUNNING", "STARTING"])
async def test_a_stop_is_carried_out_although_the_database_was_away(chat: Chat, monkeypatch, state):
    receipt = await chat.send("/slow 4000")
    waiting = await chat.send("/slow 1", receipt.session_id)
    if state == "RUNNING":
        await chat.answering(receipt.session_id)
    else:
        await chat.until(receipt.session_id, lambda s: s["state"] == "STARTING")
    monkeypatch.setattr(prompts, "refuse_waiting", failing_once(prompts.refuse_waiting))
    outcome = await chat.interrupt(receipt.session_id, stop=True)
    assert outcome == InterruptOutcome(interrupted=True)
    assert (await chat.settled(receipt))["promptState"] == "interrupted"
    assert (await chat.settled(waiting))["promptState"] == "interrupted"
    await chat.until(receipt.session_id, lambda s: s["state"] == "ENDED")
    events = await chat.events(receipt.session_id)
    assert "stopped" in [e.payload.get("reason") for e in events]
    assert_well_formed(events)


async def test_a_permission_is_denied_in_time_although_the_database_was_away(
    chat: Chat, settings, monkeypatch
):
    settings.CHAT = settings.CHAT | {"PERMISSION_TIMEOUT_S": 0.3}
    expire = failing_once(permissions.expire_permission)
    monkeypatch.setattr(asked, "expire_permission", expire)
    receipt = await chat.send("/run true")
    assert (await chat.settled(receipt))["promptState"] == "answered"


async def test_a_session_that_can_hear_nothing_more_is_ended_and_recovered(chat: Chat, monkeypatch):
    listen = inbox.listen
    calls = itertools.count(1)
    is_answering = asyncio.Event()

    async def breaks_once(*args):
        if next(calls) > 1:
            await listen(*args)
        await is_answering.wait()
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(live_session, "listen", breaks_once)
    receipt = await chat.send("/slow 4000")
    waiting = await chat.send("/slow 4000", receipt.session_id)
    await chat.answering(receipt.session_id)
    is_answering.set()
    assert (await chat.settled(receipt))["stopReason"] == "server_restart"
    await chat.until(
        receipt.session_id, lambda s: prompt_of(s, waiting)["promptState"] == "dispatched"
    )
    await chat.answering(receipt.session_id)
    assert (await chat.interrupt(receipt.session_id, stop=True)).interrupted
    await chat.until(receipt.session_id, lambda s: s["state"] == "ENDED")
    assert processes_of(receipt.session_id) == []
    assert_well_formed(await chat.events(receipt.session_id))
