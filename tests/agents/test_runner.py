"""The runner with the demo agent as a real process: turns, stops, deaths, restarts."""

import asyncio
import threading
import time
from itertools import pairwise
from types import SimpleNamespace

import psutil
import pytest
from django.db import connections, transaction

from sessions.agents import registry
from sessions.control import lifecycle, prompts
from sessions.control import settings as changes
from sessions.control.interrupt import InterruptOutcome
from sessions.control.permissions import answer_permission
from sessions.control.send import create_session, send_message
from sessions.core.db import in_thread
from sessions.core.errors import InvalidRequest, PermissionAlreadyResolved
from sessions.eventlog import follow, store
from sessions.eventlog.events import Draft, EventType
from sessions.eventlog.store import append
from sessions.models import Command, Session
from sessions.runner import leases, recovery
from sessions.runner.runner import REST_FIRST_S
from tests.support.running import FINAL, Chat, assert_well_formed, prompt_of, running_chat

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def chat(settings):
    settings.CHAT = {"SENDS_PER_MINUTE": 10_000, "INTERRUPT_TIMEOUT_S": 0.5, "STOP_GRACE_S": 0.5}
    async with running_chat() as chat:
        yield chat


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
    first = await chat.send("/slow 200")
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


def processes_of(session_id):
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("BACKSTAY_SESSION") == str(session_id):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


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
    running = await chat.send("/slow 200")
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
    running = await chat.send("/slow 60", first.session_id)
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


async def test_i7_during_a_flood_another_sessions_words_keep_coming_in_bounded_memory(
    chat: Chat, settings
):
    settings.CHAT = settings.CHAT | {"MAX_TURN_OUTPUT_BYTES": 10**9}
    neighbour = await chat.send("/slow 40")
    await chat.answering(neighbour.session_id)
    before = psutil.Process().memory_info().rss
    flood = await chat.send("/flood 2000000")
    await chat.answering(flood.session_id)
    await chat.settled(neighbour)
    grown = psutil.Process().memory_info().rss - before
    await chat.interrupt(flood.session_id, stop=True)
    await chat.settled(flood)
    during = [e.ts for e in await chat.events(flood.session_id) if e.type == "block_delta"]
    words = [e for e in await chat.events(neighbour.session_id) if e.type == "block_delta"]
    assert "".join(word.payload["delta"] for word in words).split() == [
        f"word{number}" for number in range(1, 41)
    ]
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

    def fails_once(name):
        if failures:
            raise failures.pop()
        return create(name)

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


# --- Recovery -----------------------------------------------------------------------------------


@transaction.atomic
def left_behind(chat: Chat):
    """Make a session as a killed runner leaves it: in mid-answer, one prompt waiting."""
    receipt = send_message(
        user=chat.user, client_msg_id="handed", session_id=None, text="/slow 1", agent="demo"
    )
    session_id = receipt.session_id
    waiting = send_message(
        user=chat.user, client_msg_id="waiting", session_id=session_id, text="/slow 2"
    )
    ids = {"messageId": "m", "blockId": "b"}
    append(
        session_id,
        [
            Draft("turn_start", {"turnId": "t", "clientMsgId": "handed"}),
            Draft("message_start", {"messageId": "m", "turnId": "t", "role": "assistant"}),
            Draft("block_start", ids | {"blockType": "text"}),
            Draft("block_delta", ids | {"delta": "half an ans"}),
            Draft(
                "permission_request",
                {
                    "permId": "p",
                    "toolName": "run",
                    "title": "?",
                    "input": None,
                    "options": [],
                    "expiresAt": "2026-11-23T08:00:00.000Z",
                },
            ),
        ],
    )
    Command.objects.filter(client_msg_id="handed").update(state="dispatched", turn_id="t")
    Session.objects.filter(pk=session_id).update(state="ACTIVE", live=_live(session_id))
    return receipt, waiting


def _live(session_id):
    return Session.objects.get(pk=session_id).live


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
        receipt = await chat.send("/slow 500")
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
    receipt = await chat.send("/slow 100")
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
    )


async def test_a_turn_past_its_wall_time_is_stopped_and_told(chat: Chat, settings):
    settings.CHAT = settings.CHAT | {"TURN_TIMEOUT_S": 0.7}
    receipt = await chat.send("/slow 300")
    assert (await chat.settled(receipt))["promptState"] == "interrupted"
    taken = await chat.snapshot(receipt.session_id)
    assert "turn_timeout" in [m.get("code") for m in taken["messages"]]


async def test_at_the_limit_of_agents_the_longest_idle_makes_room(chat: Chat, settings):
    settings.CHAT = settings.CHAT | {"MAX_AGENTS": 2}
    idle = await chat.send("/slow 1")
    await chat.settled(idle)
    busy = await chat.send("/slow 300")
    await chat.answering(busy.session_id)
    third = await chat.send("/slow 1")
    assert (await chat.settled(third))["promptState"] == "answered"
    assert (await chat.snapshot(idle.session_id))["state"] == "ENDED"
    assert (await chat.snapshot(busy.session_id))["runState"] == "running"
    again = await chat.send("/slow 1", idle.session_id)
    assert (await chat.settled(again))["promptState"] == "answered"


@pytest.mark.parametrize("stop", [False, True])
async def test_a_prompt_stopped_while_its_agent_starts_has_one_turn_and_no_agent(chat: Chat, stop):
    receipt = await chat.send("/slow 300")
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


# --- Close --------------------------------------------------------------------------------------


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
    second = await chat.send("/slow 300", first.session_id)
    assert (await chat.settled(second))["promptState"] == "interrupted"
