"""A runner that the database is away from: its agents end before another runner may have theirs."""

import asyncio
import threading
import uuid
from collections.abc import Callable

import pytest
from django.db import OperationalError
from django.utils import timezone

from sessions.agents.processes import tree
from sessions.core.db import in_thread
from sessions.eventlog.lease import Lease
from sessions.eventlog.wake import HeadWatch
from sessions.models import Session
from sessions.runner.leasing import leases, recovery
from sessions.runner.runner import Runner
from tests.agents.left_over import processes_of
from tests.support.running import Chat, assert_well_formed, running_chat

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def chat(settings):
    # A fifth of it is what a slow machine has for ending an agent.
    settings.CHAT = {
        "SENDS_PER_MINUTE": 10_000,
        "INTERRUPT_TIMEOUT_S": 0.5,
        "STOP_GRACE_S": 0.5,
        "LEASE_S": 15,
    }
    async with running_chat() as chat:
        yield chat


def raises(is_back: threading.Event) -> None:
    raise OperationalError("connection refused")


def hangs(is_back: threading.Event) -> None:
    is_back.wait()
    raise OperationalError("connection timed out")


@pytest.fixture
def is_back():
    """Set when the database is to be back; at the end it always is."""
    event = threading.Event()
    yield event
    event.set()


def away(function: Callable, how: Callable, is_back: threading.Event) -> Callable:
    """Return function as it is for this process while the database is away."""

    def call(*args, **kwargs):
        if not is_back.is_set():
            how(is_back)
        return function(*args, **kwargs)

    return call


@pytest.mark.parametrize("how", [raises, hangs])
async def test_agents_end_before_their_lease_does_and_go_on_when_the_database_is_back(
    chat: Chat, monkeypatch, is_back, how
):
    receipt = await chat.send("/slow 4000")
    await chat.answering(receipt.session_id)
    monkeypatch.setattr(leases, "renew", away(leases.renew, how, is_back))
    monkeypatch.setattr(leases, "release", away(leases.release, raises, is_back))
    # On another host nobody would end them; here recovery would.
    monkeypatch.setattr(tree, "kill_session", lambda session_id: 0)
    session = await in_thread(Session.objects.get, pk=receipt.session_id)
    while await asyncio.to_thread(processes_of, receipt.session_id):
        await in_thread(session.refresh_from_db)
        assert session.lease_until > timezone.now(), "the agent outlived its lease"
        await asyncio.sleep(0.1)
    is_back.set()
    assert (await chat.settled(receipt))["stopReason"] == "server_restart"
    [end] = [e for e in await chat.events(receipt.session_id) if e.type == "turn_end"]
    assert end.payload["error"] == recovery.CUT_OFF
    again = await chat.send("/slow 1", receipt.session_id)
    assert (await chat.settled(again))["promptState"] == "answered"
    assert_well_formed(await chat.events(receipt.session_id))


async def test_a_short_outage_costs_no_session(chat: Chat, monkeypatch):
    receipt = await chat.send("/slow 4000")
    await chat.answering(receipt.session_id)
    tries = []
    renew = leases.renew

    def fails_twice(*args):
        tries.append(None)
        if len(tries) <= 2:
            raise OperationalError("connection refused")
        return renew(*args)

    monkeypatch.setattr(leases, "renew", fails_twice)
    await chat.until(receipt.session_id, lambda _: len(tries) > 3, deadline_s=60)
    taken = await chat.snapshot(receipt.session_id)
    assert taken["runState"] == "running"
    started = [e for e in await chat.events(receipt.session_id) if e.type == "agent_started"]
    assert len(started) == 1


async def test_a_recovery_that_is_given_up_before_it_began_holds_nothing(monkeypatch):
    session_id = uuid.uuid4()
    runner = Runner(HeadWatch())
    lease = Lease(session_id, runner.id, 1)
    monkeypatch.setattr(leases, "orphaned", lambda limit: [session_id])
    monkeypatch.setattr(leases, "claim", lambda session, runner_id: lease)
    await runner._recoveries.start(but_not=())  # its task has not had a step yet
    assert runner._recoveries.tasks
    runner._give_all_up()
    async with asyncio.timeout(30):
        while runner._recoveries.tasks:
            await asyncio.sleep(0)
