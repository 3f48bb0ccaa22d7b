"""The runner with the demo agent as a real process: turns, stops, deaths, restarts."""

import asyncio
import time
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from django.db import transaction

from sessions.agents import registry
from sessions.control import prompts
from sessions.control.interrupt import InterruptOutcome
from sessions.control.permissions import answer_permission
from sessions.control.send import create_session, send_message
from sessions.core.db import in_thread
from sessions.core.errors import InvalidRequest, PermissionAlreadyResolved
from sessions.eventlog import follow, store
from sessions.eventlog.events import Draft, EventType
from sessions.eventlog.store import append
from sessions.models import Session
from sessions.runner.leasing import leases, recovery
from sessions.runner.runner import REST_FIRST_S
from sessions.workspace.changes import baseline
from tests.agents.left_over import processes_of
from tests.support.running import FINAL, Chat, assert_well_formed, prompt_of

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_prompt_is_answered_and_the_log_is_well_formed(chat: Chat):
    receipt = await chat.send("hello")
    prompt = await chat.settled(receipt)
    assert (prompt["promptState"], prompt["stopReason"]) == ("answered", "end_turn")
    taken = await chat.snapshot(receipt.session_id)
    answer = taken["messages"][-1]
    assert [block["blockType"] for block in answer["blocks"]] == ["thinking", "text"]
    assert "<p>" in answer["blocks"][-1]["html"]
    assert taken["runState"] == "idle"
    assert_well_formed(await chat.events(receipt.session_id))


async def test_the_folder_is_recorded_before_the_agents_first_turn(chat: Chat):
    receipt = await chat.send("/slow 1")
    await chat.settled(receipt)
    start = baseline.load(receipt.session_id)
    assert start is not None
    assert (start.commit, start.files) == (None, {})


async def test_several_turns_use_one_agent_process(chat: Chat):
    first = await chat.send("/slow 2")
    second = await chat.send("/slow 3", first.session_id)
    third = await chat.send("/slow 1", first.session_id)
    await chat.settled(third)
    events = await chat.events(first.session_id)
    order = [e.payload["clientMsgId"] for e in events if e.type == "turn_start"]
    assert order == [first.client_msg_id, second.client_msg_id, third.client_msg_id]
    assert len([e for e in events if e.type == "agent_started"]) == 1
    assert_well_formed(events)


async def test_i7_interrupt_in_mid_answer_ends_the_turn_and_the_agent_goes_on(chat: Chat):
    first = await chat.send("/slow 4000")
    await chat.answering(first.session_id)
    outcome = await chat.interrupt(first.session_id)
    assert outcome == InterruptOutcome(interrupted=True)
    assert (await chat.settled(first))["promptState"] == "interrupted"
    second = await chat.send("/slow 2", first.session_id)
    assert (await chat.settled(second))["promptState"] == "answered"
    events = await chat.events(first.session_id)
    assert len([e for e in events if e.type == "agent_started"]) == 1
    assert_well_formed(events)


async def test_interrupt_when_idle_says_not_running_and_logs_nothing(chat: Chat):
    receipt = await chat.send("/slow 1")
    await chat.settled(receipt)
    head = (await chat.snapshot(receipt.session_id))["cursor"]
    outcome = await chat.interrupt(receipt.session_id)
    assert outcome == InterruptOutcome(interrupted=False, code="not_running")
    assert (await chat.snapshot(receipt.session_id))["cursor"] == head


@pytest.mark.parametrize(
    ("prompt", "code"), [("/hang", "timed_out"), ("/refuse-interrupt", "failed")]
)
async def test_i7_an_agent_that_does_not_stop_is_killed_and_the_next_prompt_works(
    chat: Chat, prompt, code
):
    first = await chat.send(prompt)
    await chat.answering(first.session_id)
    outcome = await chat.interrupt(first.session_id)
    assert outcome == InterruptOutcome(interrupted=False, code=code)
    assert (await chat.settled(first))["promptState"] == "interrupted"
    second = await chat.send("/slow 2", first.session_id)
    assert (await chat.settled(second))["promptState"] == "answered"
    events = await chat.events(first.session_id)
    failed = [e.payload for e in events if e.type == "interrupt_failed"]
    assert (failed[0]["code"], failed[0]["escalation"]) == (code, "SIGINT")
    assert_well_formed(events)


async def test_an_interrupt_waits_for_a_wake_and_does_not_poll(chat: Chat, monkeypatch):
    reads = []

    def read(session_id, *, types=None, **rest):
        if types is not None and EventType.TURN_END in types:
            reads.append(rest["after"])
        return store.read(session_id, types=types, **rest)

    monkeypatch.setattr(follow, "store", SimpleNamespace(read=read))
    receipt = await chat.send("/hang")
    await chat.answering(receipt.session_id)
    # The agent lets the interrupt run into its deadline: 40 looks of 50 ms.
    assert (await chat.interrupt(receipt.session_id)).code == "timed_out"
    assert len(reads) <= 3


async def test_i7_every_rung_of_the_ladder_is_an_event_and_nothing_survives(chat: Chat):
    receipt = await chat.send("/hang hard")
    await chat.answering(receipt.session_id)
    await chat.interrupt(receipt.session_id, stop=True)
    await chat.settled(receipt)
    taken = await chat.until(receipt.session_id, lambda s: s["state"] == "ENDED")
    events = await chat.events(receipt.session_id)
    rungs = [e.payload["escalation"] for e in events if e.type == "interrupt_failed"]
    assert rungs == ["SIGINT", "SIGTERM", "SIGKILL"]
    assert taken["runState"] == "idle"
    assert processes_of(receipt.session_id) == []


async def test_i7_an_agent_that_dies_closes_its_turn_and_spares_another_session(chat: Chat):
    other = await chat.send("/slow 20")
    await chat.answering(other.session_id)
    dying = await chat.send("/crash")
    prompt = await chat.settled(dying)
    assert (prompt["promptState"], prompt["stopReason"]) == ("failed", "agent_crashed")
    assert "exit code 3" in prompt["error"]
    assert (await chat.settled(other))["promptState"] == "answered"
    assert_well_formed(await chat.events(dying.session_id))
    again = await chat.send("/slow 1", dying.session_id)
    assert (await chat.settled(again))["promptState"] == "answered"


async def test_stop_ends_the_agent_and_the_prompts_that_wait(chat: Chat):
    running = await chat.send("/slow 4000")
    waiting = await chat.send("/slow 1", running.session_id)
    await chat.answering(running.session_id)
    await chat.interrupt(running.session_id, stop=True)
    assert (await chat.settled(running))["promptState"] == "interrupted"
    assert (await chat.settled(waiting))["promptState"] == "interrupted"
    await chat.until(running.session_id, lambda s: s["state"] == "ENDED")
    assert processes_of(running.session_id) == []
    assert_well_formed(await chat.events(running.session_id))


async def test_a_stop_while_a_permission_is_open_refuses_what_waits_after_the_turn(chat: Chat):
    running = await chat.send("/run sleep 60")
    waiting = await chat.send("/slow 1", running.session_id)
    await chat.until(running.session_id, lambda s: s["permissions"])
    await chat.interrupt(running.session_id, stop=True)
    assert (await chat.settled(running))["promptState"] == "interrupted"
    assert (await chat.settled(waiting))["promptState"] == "interrupted"
    taken = await chat.until(running.session_id, lambda s: s["state"] == "ENDED")
    assert taken["permissions"] == []
    assert_well_formed(await chat.events(running.session_id))


async def test_interrupt_with_text_goes_on_with_that_text_even_when_the_agent_refuses(chat: Chat):
    first = await chat.send("/refuse-interrupt")
    await chat.answering(first.session_id)
    await chat.interrupt(first.session_id, text="/slow 2", client_msg_id="go-on")
    taken = await chat.until(
        first.session_id,
        lambda s: any(
            m.get("clientMsgId") == "go-on" and m["promptState"] == "answered"
            for m in s["messages"]
        ),
    )
    assert prompt_of(taken, first)["promptState"] == "interrupted"


async def test_interrupt_with_text_on_an_idle_session_runs_the_text(chat: Chat):
    first = await chat.send("/slow 1")
    await chat.settled(first)
    outcome = await chat.interrupt(first.session_id, text="/slow 2", client_msg_id="go-on")
    assert outcome == InterruptOutcome(interrupted=False, code="not_running")
    taken = await chat.until(first.session_id, lambda s: state_of(s, "go-on") in FINAL)
    assert state_of(taken, "go-on") == "answered"


async def test_interrupt_with_the_text_that_runs_already_lets_it_run(chat: Chat):
    first = await chat.send("/slow 1")
    await chat.settled(first)
    go_on = {"text": "/slow 60", "client_msg_id": "go-on"}
    await chat.interrupt(first.session_id, **go_on)
    await chat.answering(first.session_id)
    assert (await chat.interrupt(first.session_id, **go_on)).code == "not_running"
    taken = await chat.until(first.session_id, lambda s: state_of(s, "go-on") in FINAL)
    assert state_of(taken, "go-on") == "answered"


async def test_interrupt_of_a_turn_that_is_over_spares_what_runs_and_waits_now(chat: Chat):
    first = await chat.send("/slow 1")
    over = (await chat.settled(first))["turnId"]
    running = await chat.send("/slow 4000", first.session_id)
    waiting = await chat.send("/slow 1", first.session_id)
    await chat.answering(first.session_id)
    outcome = await chat.interrupt(first.session_id, turn_id=over)
    assert outcome == InterruptOutcome(interrupted=False, code="not_running")
    now = (await chat.snapshot(first.session_id))["turn"]["turnId"]
    assert (await chat.interrupt(first.session_id, turn_id=now)).interrupted
    assert (await chat.settled(running))["promptState"] == "interrupted"
    assert (await chat.settled(waiting))["promptState"] == "answered"


async def test_interrupt_whose_text_is_refused_interrupts_nothing(chat: Chat):
    first = await chat.send("/slow 60")
    await chat.answering(first.session_id)
    with pytest.raises(InvalidRequest):
        await chat.interrupt(first.session_id, text="  ")
    assert (await chat.settled(first))["promptState"] == "answered"


def state_of(taken, client_msg_id):
    return next(
        (m["promptState"] for m in taken["messages"] if m.get("clientMsgId") == client_msg_id), None
    )


async def test_a_permission_is_asked_answered_once_and_the_tool_runs(chat: Chat):
    receipt = await chat.send("/run echo it-ran")
    taken = await chat.until(receipt.session_id, lambda s: s["permissions"])
    assert taken["runState"] == "requires_action"
    [request] = taken["permissions"]
    option = next(o["id"] for o in request["options"] if o["kind"] == "allow_once")
    answer = {
        "user": chat.user,
        "session_id": receipt.session_id,
        "perm_id": request["permId"],
        "option_id": option,
        "digest": request["digest"],
    }
    await in_thread(answer_permission, **answer)
    with pytest.raises(PermissionAlreadyResolved) as refused:
        await in_thread(answer_permission, **answer)
    assert refused.value.fields["by"] == "owner"
    await chat.settled(receipt)
    tool = (await chat.snapshot(receipt.session_id))["messages"][-1]["blocks"][0]
    assert "it-ran" in tool["result"]
    assert_well_formed(await chat.events(receipt.session_id))


async def test_a_permission_that_nobody_answers_is_denied_with_an_event(chat: Chat, settings):
    settings.CHAT = settings.CHAT | {"PERMISSION_TIMEOUT_S": 0.3}
    receipt = await chat.send("/run echo never > made-by-test")
    assert (await chat.settled(receipt))["promptState"] == "answered"
    events = await chat.events(receipt.session_id)
    [resolved] = [e.payload for e in events if e.type == "permission_resolved"]
    assert resolved["reason"] == "timeout"
    notices = [e.payload for e in events if e.type == "error"]
    assert [(one["code"], "denied: " in one["error"]) for one in notices] == [
        ("permission_expired", True)
    ]
    session = await in_thread(Session.objects.get, pk=receipt.session_id)
    assert not await asyncio.to_thread(lambda: __import__("os").listdir(session.cwd))


async def test_interrupt_while_a_permission_is_open_resolves_it(chat: Chat):
    receipt = await chat.send("/run sleep 60")
    await chat.until(receipt.session_id, lambda s: s["permissions"])
    outcome = await chat.interrupt(receipt.session_id)
    assert outcome.interrupted
    await chat.settled(receipt)
    taken = await chat.snapshot(receipt.session_id)
    assert taken["permissions"] == []
    assert_well_formed(await chat.events(receipt.session_id))


def words_of(taken: dict[str, Any]) -> int:
    """Return how many words the running answer has."""
    return len(taken["current"]["blocks"][0]["content"].split())


async def test_i7_during_a_flood_another_sessions_words_keep_coming_in_bounded_memory(
    chat: Chat, settings
):
    settings.CHAT = settings.CHAT | {"MAX_TURN_OUTPUT_BYTES": 10**9}
    neighbour = await chat.send("/slow 4000")
    await chat.answering(neighbour.session_id)
    before = psutil.Process().memory_info().rss
    flood = await chat.send("/flood 2000000")
    await chat.answering(flood.session_id)
    heard = words_of(await chat.snapshot(neighbour.session_id))
    await chat.until(neighbour.session_id, lambda taken: words_of(taken) > heard + 40)
    grown = psutil.Process().memory_info().rss - before
    for each in (flood, neighbour):
        await chat.interrupt(each.session_id, stop=True)
        await chat.settled(each)
    during = [e.ts for e in await chat.events(flood.session_id) if e.type == "block_delta"]
    words = [e for e in await chat.events(neighbour.session_id) if e.type == "block_delta"]
    said = "".join(word.payload["delta"] for word in words).split()
    assert said == [f"word{number}" for number in range(1, len(said) + 1)]
    met = [word.ts for word in words if during[0] <= word.ts <= during[-1]]
    assert len(met) > 10
    # A session that had to wait for the flood would show all of it as one gap.
    largest = max(later - earlier for earlier, later in pairwise(met))
    assert largest < (during[-1] - during[0]) / 3
    assert grown < 100 * 1024 * 1024


async def test_a_flood_is_rolled_up(chat: Chat):
    flood = await chat.send("/flood 50000")
    await chat.settled(flood)
    events = await chat.events(flood.session_id)
    deltas = [e.payload["delta"] for e in events if e.type == "block_delta"]
    assert len(deltas) < 5_000
    assert "".join(deltas).split()[-1] == "50000"
    assert_well_formed(events)


async def test_an_answer_past_the_output_limit_is_stopped_and_told(chat: Chat, settings):
    settings.CHAT = settings.CHAT | {"MAX_TURN_OUTPUT_BYTES": 20_000}
    receipt = await chat.send("/flood 1000000")
    await chat.settled(receipt)
    taken = await chat.snapshot(receipt.session_id)
    assert "output_limit" in [m.get("code") for m in taken["messages"]]
    assert_well_formed(await chat.events(receipt.session_id))


async def test_an_agent_that_cannot_start_fails_its_prompt_with_a_sentence(chat: Chat):
    receipt = await chat.send("/slow 1")
    await chat.settled(receipt)
    await chat.interrupt(receipt.session_id, stop=True)
    await chat.until(receipt.session_id, lambda s: s["state"] == "ENDED")
    await in_thread(Session.objects.filter(pk=receipt.session_id).update, agent="no-such-agent")
    prompt = await chat.settled(await chat.send("hello?", receipt.session_id))
    assert prompt["promptState"] == "failed"
    assert "no-such-agent" in prompt["error"]


async def test_a_folder_that_cannot_be_made_fails_its_prompt_with_a_sentence(
    chat: Chat, settings, tmp_path
):
    (tmp_path / "workspaces").write_text("a file is in the way")
    settings.DATA_DIR = tmp_path
    receipt = await chat.send("/slow 1")
    prompt = await chat.settled(receipt)
    assert prompt["promptState"] == "failed"
    assert "folder" in prompt["error"]
    assert len([e for e in await chat.events(receipt.session_id) if e.type == "turn_end"]) == 1
    (tmp_path / "workspaces").unlink()
    again = await chat.send("/slow 1", receipt.session_id)
    assert (await chat.settled(again))["promptState"] == "answered"


async def test_what_nobody_foresaw_at_a_start_fails_its_prompt_and_not_the_next(
    chat: Chat, monkeypatch
):
    failures = [ZeroDivisionError("odd")]
    create = registry.create

    def fails_once(name, **options):
        if failures:
            raise failures.pop()
        return create(name, **options)

    monkeypatch.setattr(registry, "create", fails_once)
    first = await chat.send("/slow 1")
    prompt = await chat.settled(first)
    assert (prompt["promptState"], prompt["stopReason"]) == ("failed", "error")
    assert prompt["error"]
    again = await chat.send("/slow 1", first.session_id)
    assert (await chat.settled(again))["promptState"] == "answered"
    assert_well_formed(await chat.events(first.session_id))


async def test_a_session_that_always_fails_is_tried_ever_more_seldom(
    chat: Chat, settings, monkeypatch
):
    tries: dict = {}
    recover = recovery.recover

    def fails(lease, **more):
        times = tries.setdefault(lease.session_id, [])
        times.append(time.monotonic())
        if lease.session_id == failing.session_id and len(times) <= 3:
            raise ZeroDivisionError("odd")
        return recover(lease, **more)

    @transaction.atomic
    def sent():
        session = create_session(owner=chat.user, agent="demo")
        return send_message(
            user=chat.user, client_msg_id="f", session_id=session.pk, text="/slow 1"
        )

    # What waits is read while the session is free and not yet at rest: that is old news then.
    settings.CHAT = settings.CHAT | {"TAIL_INTERVAL_S": 0.05}
    release_s = 0.5
    monkeypatch.setattr(leases, "release", and_then_pause(leases.release, release_s))
    monkeypatch.setattr(leases, "waiting", and_then_pause(leases.waiting, 0.3))
    monkeypatch.setattr(recovery, "recover", fails)
    failing = await in_thread(sent)
    other = await chat.send("/slow 1")
    assert (await chat.settled(other))["promptState"] == "answered"
    assert (await chat.settled(failing))["promptState"] == "answered"
    waits = [after - before for before, after in pairwise(tries[failing.session_id])]
    assert all(wait >= release_s + REST_FIRST_S * 2**n for n, wait in enumerate(waits))


def and_then_pause(function, pause_s):
    def slow(*args, **kwargs):
        result = function(*args, **kwargs)
        time.sleep(pause_s)
        return result

    return slow


# --- Between two steps --------------------------------------------------------------------------


async def test_an_interrupt_between_the_turns_begin_and_the_agents_is_carried_out(
    chat: Chat, monkeypatch
):
    """The log has the turn already, the agent does not have the prompt yet."""
    first = await chat.send("/slow 1")
    await chat.settled(first)
    dispatch = prompts.dispatch

    def dispatch_then_interrupt(lease, prompt, turn_id):
        dispatch(lease, prompt, turn_id)
        requested = {"by": "owner", "stop": False, "turnId": turn_id}
        append(lease.session_id, [Draft("interrupt_requested", requested)])
        time.sleep(0.5)  # the request is heard while the runner still waits for its dispatch

    monkeypatch.setattr(prompts, "dispatch", dispatch_then_interrupt)
    second = await chat.send("/slow 4000", first.session_id)
    assert (await chat.settled(second))["promptState"] == "interrupted"
