"""Recovery: what a dead runner left is closed once, and never run twice."""

import pytest
from django.db import transaction

from sessions.control.permissions import answer_permission
from sessions.core.db import in_thread
from sessions.eventlog.events import Draft
from sessions.eventlog.store import append
from sessions.models import Session
from sessions.runner.leasing import leases, recovery
from tests.agents.left_over import left_behind, processes_of
from tests.support.running import Chat, assert_well_formed, prompt_of, running_chat

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_stop_that_a_dead_runner_had_not_carried_out_still_means_what_waited(chat: Chat):
    @transaction.atomic
    def left() -> tuple:
        receipts = left_behind(chat)
        asked = {"by": "owner", "stop": True, "turnId": "t"}
        append(receipts[0].session_id, [Draft("interrupt_requested", asked)])
        return receipts

    receipt, waiting = await in_thread(left)
    assert (await chat.settled(waiting))["promptState"] == "interrupted"
    after = await chat.send("/slow 1", receipt.session_id)
    assert (await chat.settled(after))["promptState"] == "answered"
    assert_well_formed(await chat.events(receipt.session_id))


async def test_i10_what_a_dead_runner_left_is_told_once_and_never_run_twice(chat: Chat):
    receipt, waiting = await in_thread(left_behind, chat)
    assert (await chat.settled(waiting))["promptState"] == "answered"
    taken = await chat.snapshot(receipt.session_id)
    handed = prompt_of(taken, receipt)
    assert (handed["promptState"], handed["stopReason"]) == ("interrupted", "server_restart")
    events = await chat.events(receipt.session_id)
    assert_well_formed(events)
    turns = [e.payload["clientMsgId"] for e in events if e.type == "turn_start"]
    assert turns == ["handed", "waiting"]
    [resolved] = [e.payload for e in events if e.type == "permission_resolved"]
    assert resolved["reason"] == "restart"
    [closed] = [e.payload for e in events if e.type == "block_end" and e.payload["blockId"] == "b"]
    assert closed["content"] == "half an ans"


async def test_a_stopped_runner_interrupts_its_turns_and_releases_its_sessions(settings):
    settings.CHAT = {"INTERRUPT_TIMEOUT_S": 1, "STOP_GRACE_S": 0.2}
    async with running_chat() as chat:
        receipt = await chat.send("/slow 4000")
        await chat.answering(receipt.session_id)
        await chat.runner.stop(grace_s=0.1)
        taken = await chat.snapshot(receipt.session_id)
        assert prompt_of(taken, receipt)["stopReason"] == "server_restart"
        assert taken["state"] == "ENDED"
        session = await in_thread(Session.objects.get, pk=receipt.session_id)
        assert session.lease_until is None
        assert not await in_thread(recovery.recover, await in_thread(leases.claim, session.pk, "x"))
        assert processes_of(receipt.session_id) == []


async def test_what_another_process_asks_between_two_commits_is_heard(chat: Chat, monkeypatch):
    """Its event lies in a hole before the runner's own next commit, and no wake tells of it."""
    receipt = await chat.send("/slow 4000")
    await chat.answering(receipt.session_id)
    monkeypatch.setattr(chat.watch, "_wake_all", unless_asking(chat.watch._wake_all))
    outcome = await chat.interrupt(receipt.session_id)
    assert outcome.interrupted


def unless_asking(wake_all):
    """As if the commit had been made by another process: the tail sees a head that is known."""

    def wake(session_id, head, events):
        if events[0].type != "interrupt_requested":
            wake_all(session_id, head, events)

    return wake


async def test_memory_beyond_the_limit_fails_the_tool_and_nothing_else(chat: Chat, settings):
    settings.CHAT = settings.CHAT | {"AGENT_MEMORY_MB": 400}
    receipt = await chat.send("/run python3 -c 'x = bytearray(600_000_000); print(\"got it\")'")
    await allow(chat, receipt)
    assert (await chat.settled(receipt))["promptState"] == "answered"
    tool = (await chat.snapshot(receipt.session_id))["messages"][-1]["blocks"][0]
    assert tool["status"] == "failed"
    assert "MemoryError" in tool["result"]


async def allow(chat: Chat, receipt):
    taken = await chat.until(receipt.session_id, lambda s: s["permissions"])
    [request] = taken["permissions"]
    option = next(o["id"] for o in request["options"] if o["kind"] == "allow_once")
    await in_thread(
        answer_permission,
        user=chat.user,
        session_id=receipt.session_id,
        perm_id=request["permId"],
        option_id=option,
        digest=request["digest"],
    )


async def test_a_turn_past_its_wall_time_is_stopped_and_told(chat: Chat, settings):
    settings.CHAT = settings.CHAT | {"TURN_TIMEOUT_S": 0.7}
    receipt = await chat.send("/slow 4000")
    assert (await chat.settled(receipt))["promptState"] == "interrupted"
    taken = await chat.snapshot(receipt.session_id)
    assert "turn_timeout" in [m.get("code") for m in taken["messages"]]


async def test_at_the_limit_of_agents_the_longest_idle_makes_room(chat: Chat, settings):
    settings.CHAT = settings.CHAT | {"MAX_AGENTS": 2}
    idle = await chat.send("/slow 1")
    await chat.settled(idle)
    busy = await chat.send("/slow 4000")
    await chat.answering(busy.session_id)
    third = await chat.send("/slow 1")
    assert (await chat.settled(third))["promptState"] == "answered"
    assert (await chat.snapshot(idle.session_id))["state"] == "ENDED"
    assert (await chat.snapshot(busy.session_id))["runState"] == "running"
    again = await chat.send("/slow 1", idle.session_id)
    assert (await chat.settled(again))["promptState"] == "answered"


@pytest.mark.parametrize("stop", [False, True])
async def test_a_prompt_stopped_while_its_agent_starts_has_one_turn_and_no_agent(chat: Chat, stop):
    receipt = await chat.send("/slow 4000")
    await chat.until(receipt.session_id, lambda s: s["state"] == "STARTING")
    waiting = await chat.send("/slow 1", receipt.session_id)
    outcome = await chat.interrupt(receipt.session_id, stop=stop)
    assert outcome.interrupted
    assert (await chat.settled(receipt))["promptState"] == "interrupted"
    assert (await chat.settled(waiting))["promptState"] == ("interrupted" if stop else "answered")
    events = await chat.events(receipt.session_id)
    turns = [event.payload["clientMsgId"] for event in events if event.type == "turn_start"]
    assert turns == [receipt.client_msg_id, waiting.client_msg_id]
    assert_well_formed(events)
