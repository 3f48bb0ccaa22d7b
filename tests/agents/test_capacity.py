"""Runners whose agents are all busy: orphans are recovered all the same, and who waits is told."""

from contextlib import AsyncExitStack
from itertools import groupby

import pytest
from django.contrib.auth import get_user_model

from sessions.core.db import in_thread
from sessions.models import Prompt
from sessions.runner.leasing import waiting_notice
from tests.agents.left_over import left_behind
from tests.support.running import Chat, assert_well_formed, prompt_of, prompt_state, running_chat

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def chats(settings):
    """Two runners that may have one agent each."""
    settings.CHAT = {
        "SENDS_PER_MINUTE": 10_000,
        "INTERRUPT_TIMEOUT_S": 0.5,
        "STOP_GRACE_S": 0.5,
        "MAX_AGENTS": 1,
    }
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(running_chat()) for _ in range(2)]


async def busy(chat: Chat) -> list:
    """Keep the one agent of each runner busy; return the prompts."""
    receipts = [await chat.send("/slow 2000") for _ in range(2)]
    for receipt in receipts:
        await chat.answering(receipt.session_id)
    return receipts


def told(taken) -> list[str]:
    return [m["text"] for m in taken["messages"] if m.get("code") == "waiting_for_agent"]


async def test_i10_runners_without_room_recover_an_orphan_and_run_its_prompt_when_there_is(chats):
    chat = chats[0]
    running = await busy(chat)
    receipt, waiting = await in_thread(left_behind, chat)
    taken = await chat.until(receipt.session_id, lambda s: s["state"] in ("ENDED", "CREATED"))
    handed = prompt_of(taken, receipt)
    assert (handed["promptState"], handed["stopReason"]) == ("interrupted", "server_restart")
    assert (taken["runState"], taken["permissions"]) == ("idle", [])
    assert prompt_state(taken, waiting) == "accepted"
    for other in running:
        assert (await chat.snapshot(other.session_id))["runState"] == "running"
    await chat.interrupt(running[0].session_id, stop=True)
    assert (await chat.settled(waiting))["promptState"] == "answered"
    assert_well_formed(await chat.events(receipt.session_id))


async def test_a_prompt_that_waits_because_every_agent_is_busy_is_told_once(chats, monkeypatch):
    chat = chats[0]
    running = await busy(chat)
    receipt = await chat.send("/slow 1")
    second = await chat.send("/slow 1", receipt.session_id)
    taken = await chat.until(receipt.session_id, told)
    assert prompt_state(taken, receipt) == "accepted"
    assert "busy" in told(taken)[0]

    rounds = []
    tell = waiting_notice.tell_who_waits
    monkeypatch.setattr(waiting_notice, "tell_who_waits", lambda: rounds.append(tell()))
    await chat.until(receipt.session_id, lambda _: len(rounds) >= 6)
    assert set(rounds) == {0}
    await chat.interrupt(running[0].session_id, stop=True)
    assert (await chat.settled(second))["promptState"] == "answered"
    assert len(told(await chat.snapshot(receipt.session_id))) == 1


async def test_a_prompt_that_one_of_two_runners_has_room_for_is_not_told_to_wait(chats):
    chat = chats[0]
    running = await chat.send("/slow 2000")
    await chat.answering(running.session_id)
    receipt = await chat.send("/slow 1")
    assert (await chat.settled(receipt))["promptState"] == "answered"
    assert told(await chat.snapshot(receipt.session_id)) == []


async def test_the_queue_of_one_user_does_not_keep_the_agent_from_another(settings):
    settings.CHAT = {"SENDS_PER_MINUTE": 10_000, "STOP_GRACE_S": 0.5, "MAX_AGENTS": 1}
    async with running_chat() as ada:
        queue = [await ada.send("/slow 5")]
        queue += [await ada.send("/slow 5", queue[0].session_id) for _ in range(9)]
        await ada.answering(queue[0].session_id)
        bob = Chat(await in_thread(get_user_model().objects.create_user, "bob"), None, ada.watch)
        first = await bob.send("/slow 1")
        assert (await bob.settled(first))["promptState"] == "answered"
        taken = await ada.snapshot(queue[0].session_id)
        waiting = [r for r in queue if prompt_state(taken, r) == "accepted"]
        assert len(waiting) >= 7, "they had their turns before another user's first prompt"
        # None of them is lost by that.
        assert (await ada.settled(queue[-1]))["promptState"] == "answered"
        assert_well_formed(await ada.events(queue[0].session_id))


async def test_users_go_round_when_each_has_a_queue(settings):
    settings.CHAT = {"SENDS_PER_MINUTE": 10_000, "STOP_GRACE_S": 0.5, "MAX_AGENTS": 1}
    async with running_chat() as ada:
        bob = Chat(await in_thread(get_user_model().objects.create_user, "bob"), None, ada.watch)
        held = await ada.send("/slow 4000")
        await ada.answering(held.session_id)
        sent = [(user, await user.send("/slow 1")) for user in [ada] * 3 + [bob] * 3]
        await ada.interrupt(held.session_id, stop=True)
        for user, receipt in sent:
            assert (await user.settled(receipt))["promptState"] == "answered"
        commands = [
            await in_thread(Prompt.objects.get, client_msg_id=r.client_msg_id) for _, r in sent
        ]
        order = [c.owner_id for c in sorted(commands, key=lambda c: c.dispatched_at)]
        assert order[:2] == [bob.user.pk, ada.user.pk]
        assert max(len(list(run)) for _, run in groupby(order)) <= 2
