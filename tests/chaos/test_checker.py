"""The checker must be able to fail: each promise broken on paper, and found."""

from __future__ import annotations

import copy
from datetime import datetime, timedelta
from typing import Any

import pytest

from lab.chaos.evidence import (
    Blobs,
    Connection,
    Disturbance,
    Evidence,
    GivenAnswer,
    Interrupt,
    Life,
    Record,
    SentPrompt,
)
from lab.chaos.verdict.answers import check_blobs, check_output, check_requests
from lab.chaos.verdict.checker import check, check_log
from lab.chaos.verdict.shown import transcript
from sessions.eventlog.fold import empty, fold_all
from tests.chaos.paper import SID, log_of, one_turn, rebuild, rules, session_of, snapshot_of


def test_a_good_run_has_no_violation(good):
    assert check(good) == []


def test_the_evidence_names_device_session_and_seqs(good):
    del good.records[0].lives[0].applied[4]
    lost = check(good)[0]
    assert (lost.device, lost.session_id, lost.seqs) == ("d0", SID, (5,))
    assert str(lost) == f"lost: events never came (device d0, session {SID}, seqs 5)"


# --- The log ------------------------------------------------------------------------------------


def test_i1_a_hole_in_the_log(good):
    del good.sessions[SID].events[5]
    assert "I1" in rules(good)


def test_i1_a_head_beyond_the_log(good):
    good.sessions[SID].head = 11
    assert "I1" in rules(good)


@pytest.mark.parametrize("kind", ["turn_end", "message_end", "block_end"])
def test_i1_what_begins_must_end(good, kind):
    rebuild(good, [event for event in one_turn() if event["type"] != kind])
    assert "I1" in rules(good)


def test_i1_deltas_written_twice(good):
    events = one_turn()
    rebuild(good, [*events[:6], copy.deepcopy(events[5]), *events[6:]])
    assert any("deltas" in violation.what for violation in check(good))


def test_i1_an_event_that_was_changed_after_its_delivery(good):
    good.records[0].lives[0].applied[1][1]["text"] = "something else"
    assert "I1" in rules(good)


def test_i10_a_turn_within_a_turn(good):
    events = one_turn()
    prompt = copy.deepcopy(events[1]) | {"clientMsgId": "p2", "messageId": "u2"}
    start = copy.deepcopy(events[2]) | {"turnId": "t2", "clientMsgId": "p2"}
    end = copy.deepcopy(events[9]) | {"turnId": "t2"}
    rebuild(good, [*events[:2], prompt, *events[2:5], start, end, *events[5:]])
    assert any("inside turn" in violation.what for violation in check(good))


def test_a_double_turn_in_the_log(good):
    events = one_turn()
    again = [copy.deepcopy(events[2]) | {"turnId": "t2"}, copy.deepcopy(events[9])]
    again[1]["turnId"] = "t2"
    rebuild(good, [*events, *again])
    assert "double turn" in rules(good)


def test_a_double_turn_outside_of_the_log(good):
    good.sessions[SID].effects = ["p1", "p1"]
    assert "double turn" in rules(good)


def test_i4_an_effect_of_a_prompt_that_nobody_admitted(good):
    good.sessions[SID].effects = ["p9"]
    assert "I4" in rules(good)


def test_i9_an_interrupted_turn_that_nobody_asked_for(good):
    events = one_turn()
    events[9]["stopReason"] = "interrupted"
    rebuild(good, events)
    assert "I9" in rules(good)


def test_i9_a_limit_that_the_log_tells_may_interrupt(good):
    events = one_turn()
    events[9]["stopReason"] = "interrupted"
    told = {"code": "turn_timeout", "error": "Too long."}
    [error] = log_of(("error", told))
    rebuild(good, [*events[:9], error, events[9]])
    assert "I9" not in rules(good)


def test_i10_a_live_session_without_an_owner(good):
    good.sessions[SID].is_live = True
    assert "I10" in rules(good)
    good.sessions[SID].has_owner = True
    assert check(good) == []


@pytest.mark.parametrize("key", ["runState", "usage", "current", "permissions", "title"])
def test_i12_a_snapshot_that_is_not_the_log(good, key):
    good.sessions[SID].snapshot[key] = "another"
    assert "I12" in rules(good)


def test_i12_a_stored_message_that_is_not_the_log(good):
    good.sessions[SID].messages = good.sessions[SID].messages[:1]
    assert "I12" in rules(good)


# --- Prompts ------------------------------------------------------------------------------------


def test_i4_a_prompt_twice_in_the_log(good):
    events = one_turn()
    rebuild(good, [*events, copy.deepcopy(events[1])])
    assert "I4" in rules(good)


def test_i4_a_receipt_for_a_prompt_that_is_not_in_the_log(good):
    good.records[0].prompts["p2"] = SentPrompt("p2", SID, "hi", "accepted", "", [3])
    assert {"lost prompt", "I4"} <= rules(good)


def test_i4_a_receipt_that_names_another_place(good):
    good.records[0].prompts["p1"].seqs = [2, 7]
    assert rules(good) == {"I4"}


@pytest.mark.parametrize("state", ["queued", "sending"])
def test_i4_a_prompt_that_was_never_settled(good, state):
    good.records[0].prompts["p2"] = SentPrompt("p2", SID, "hi", state)
    assert rules(good) == {"I4"}


@pytest.mark.parametrize("state", ["failed", "evicted"])
def test_a_prompt_that_is_shown_as_not_sent_is_no_violation(good, state):
    good.records[0].prompts["p2"] = SentPrompt("p2", SID, "hi", state)
    assert check(good) == []


@pytest.mark.parametrize("state", ["accepted", "dispatched"])
def test_i10_a_prompt_without_an_outcome(good, state):
    good.prompts[0]["state"] = state
    assert rules(good) == {"I10"}


# --- What clients applied -----------------------------------------------------------------------


def applied(evidence: Evidence) -> list[tuple[float, dict[str, Any]]]:
    return evidence.records[0].lives[0].applied


def test_an_event_applied_twice(good):
    applied(good).insert(4, applied(good)[3])
    assert "repeated" in rules(good)


def test_an_event_that_never_came_at_the_end(good):
    del applied(good)[-2:]
    assert "lost" in rules(good)


def test_a_silent_skip(good):
    events = good.sessions[SID].events
    applied(good)[2:7] = [(0.0, snapshot_of(events[:7]))]
    assert "silent skip" in rules(good)


def test_an_announced_skip_is_none(good):
    events = good.sessions[SID].events
    skip = {"type": "replay_skipped", "sessionId": SID, "from": 3, "to": 7, "reason": "x"}
    applied(good)[2:7] = [(0.0, skip), (0.0, snapshot_of(events[:7]))]
    assert check(good) == []


def test_a_skip_may_tell_again_what_came_before_it(good):
    events = good.sessions[SID].events
    skip = {"type": "replay_skipped", "sessionId": SID, "from": 2, "to": 7, "reason": "x"}
    applied(good)[2:7] = [(0.0, skip), (0.0, snapshot_of(events[:7]))]
    assert check(good) == []


def test_i3_a_skip_that_begins_beyond_the_cursor(good):
    skip = {"type": "replay_skipped", "sessionId": SID, "from": 9, "to": 9, "reason": "x"}
    applied(good).insert(2, (0.0, skip))
    assert "I3" in rules(good)


def test_i3_a_snapshot_that_goes_back(good):
    events = good.sessions[SID].events
    applied(good).append((0.0, snapshot_of(events[:4])))
    assert "I3" in rules(good)


def test_i12_a_client_that_shows_something_else(good):
    events = good.sessions[SID].events
    wrong = snapshot_of(events)
    wrong["messages"] = copy.deepcopy(wrong["messages"])
    wrong["messages"][0]["text"] = "something else"
    applied(good).append((0.0, wrong))
    [violation] = check(good)
    assert (violation.rule, violation.seqs) == ("I12", (2,))


def test_only_the_last_life_of_a_client_must_reach_the_end(good):
    good.records[0].lives.insert(0, Life({SID: None}, {}, applied(good)[:3]))
    assert check(good) == []


# --- The wire -----------------------------------------------------------------------------------


def frames(evidence: Evidence) -> list[dict[str, Any]]:
    return evidence.records[0].connections[0].frames


def test_i3_the_wire_repeats(good):
    frames(good).insert(4, frames(good)[3])
    assert rules(good) == {"repeated"}


def test_i3_the_wire_leaves_out(good):
    del frames(good)[3]
    assert rules(good) == {"lost"}


def test_i3_the_wire_jumps_without_a_word(good):
    frames(good)[2:7] = [snapshot_of(good.sessions[SID].events[:7])]
    assert rules(good) == {"silent skip"}


def test_i5_a_catch_up_of_too_many_events(good):
    good.max_replay_gap = 8
    good.records[0].connections[0] = Connection(
        {SID: 1}, [*good.sessions[SID].events[1:], snapshot_of(good.sessions[SID].events)]
    )
    assert rules(good) == {"I5"}
    good.max_replay_gap = 9
    assert check(good) == []


def test_what_a_client_has_asked_for_may_come_again(good):
    asked = {"type": "client_asked", "sessionId": SID, "cursor": 3}
    frames(good)[6:6] = [asked, *copy.deepcopy(good.sessions[SID].events[3:6])]
    assert check(good) == []


def test_a_watch_that_ended_begins_anew_from_a_snapshot(good):
    frames(good)[2:7] = [
        {"type": "unwatched", "sessionId": SID},
        snapshot_of(good.sessions[SID].events[:7]),
    ]
    assert check(good) == []


def test_i3_an_event_before_any_catch_up(good):
    frames(good)[2:2] = [{"type": "unwatched", "sessionId": SID}]
    assert rules(good) == {"I3"}


# --- Rights, interrupts, processes ----------------------------------------------------------------


def test_i11_a_stranger_who_sees_an_event(good):
    stranger = Record("s", "mallory")
    stranger.connections.append(Connection({SID: 0}, [good.sessions[SID].events[0]]))
    good.records.append(stranger)
    assert rules(good) == {"I11"}


def test_i11_a_stranger_who_is_refused_is_none(good):
    stranger = Record("s", "mallory", refusals=[("send", 404)])
    rejected = {"type": "watch_rejected", "sessionId": SID, "code": "unknown_session"}
    stranger.connections.append(Connection({SID: 0}, [rejected]))
    good.records.append(stranger)
    assert check(good) == []


def test_i11_a_stranger_whose_command_is_taken(good):
    good.records.append(Record("s", "mallory", refusals=[("send", 202)]))
    assert rules(good) == {"I11"}


def test_i7_an_interrupt_past_its_deadline(good):
    good.records[0].interrupts.append(Interrupt(SID, 5.1, 202))
    assert rules(good) == {"I7"}


def interrupted_after(events: list[dict[str, Any]], wait_s: float) -> list[dict[str, Any]]:
    """Return a log in which an interrupt was asked for, and answered after wait_s."""
    asked, failed = log_of(
        ("interrupt_requested", {"by": "owner", "stop": False, "clientMsgId": "p1"}),
        ("interrupt_failed", {"code": "no_runner", "error": "No.", "escalation": "none"}),
    )
    base = datetime.fromisoformat(events[-1]["ts"]) + timedelta(hours=1)
    for seq, (event, at) in enumerate(((asked, base), (failed, base + timedelta(seconds=wait_s)))):
        event |= {"seq": len(events) + 1 + seq, "ts": at.isoformat()}
    return [*events, asked, failed]


@pytest.mark.parametrize(
    ("wait_s", "device", "began", "ended", "is_late"),
    [
        # Over a slow line, or from a server that was away, the time in the log counts.
        (3.0, "d0", 1.0, 6.0, False),
        (3.0, "d0", -9.0, 0.5, False),
        (3.0, "", 7.9, 9.0, False),
        (5.5, "d0", 1.0, 6.0, True),
        # Another line, another time: the time at the client counts, whatever the log says.
        (3.0, "d1", 1.0, 6.0, True),
        (3.0, "d0", 8.1, 9.0, True),
        (3.0, "", -20.0, -5.5, True),
    ],
)
def test_i7_an_answer_that_is_late_at_the_client(good, wait_s, device, began, ended, is_late):
    events = interrupted_after(one_turn(), wait_s)
    rebuild(good, events)
    asked_at = datetime.fromisoformat(events[-2]["ts"]).timestamp() - 0.5
    good.records[0].interrupts.append(Interrupt(SID, 8.0, 202, asked_at))
    good.disturbances.append(Disturbance(device, asked_at + began, asked_at + ended))
    assert ("I7" in rules(good)) is is_late


def test_i7_a_process_that_ended_by_itself(good):
    good.deaths.append("web 1 ended by itself with status 1")
    assert rules(good) == {"I7"}


def test_i8_a_process_that_grows(good):
    good.memory_mb["web 1"] = good.memory_limit_mb + 1
    assert rules(good) == {"I8"}


def test_what_does_not_become_quiet_is_a_violation(good):
    good.restless.append("d0: line waiting")
    assert rules(good) == {"not quiet"}


# --- The page -----------------------------------------------------------------------------------

SHOWN = [("prompt", "hi"), ("answer", " hello\n")]


def test_i12_a_page_that_shows_the_log_is_right(good):
    good.records[0].shown[SID] = SHOWN
    assert check(good) == []


@pytest.mark.parametrize(
    "shown",
    [
        [],
        SHOWN[:1],
        SHOWN[1:],
        [SHOWN[0], SHOWN[0], SHOWN[1]],
        [SHOWN[1], SHOWN[0]],
        [SHOWN[0], ("answer", "hel")],
        [*SHOWN, SHOWN[1]],
    ],
)
def test_i12_a_page_that_lacks_or_repeats_or_confuses(good, shown):
    good.records[0].shown[SID] = shown
    assert rules(good) == {"I12"}


def test_an_answer_is_compared_by_what_its_html_says(good):
    events = one_turn()
    events[7]["html"] = "<p>hello &amp; <b>goodbye</b></p>"
    message = fold_all(empty(SID), events)["messages"]
    assert transcript(message)[1] == ("answer", "hello&goodbye")


def test_code_that_was_never_rendered_is_read_without_its_fences() -> None:
    content = "say:\n\n```python\nx = 1\n```\n"
    block = {"blockType": "text", "html": None, "content": content}
    message = {"role": "assistant", "seq": 2, "turnId": "t", "blocks": [block]}
    assert transcript([message]) == [("answer", "say:x=1")]


def test_a_script_of_the_page_that_raises(good):
    good.records[0].errors.append("x is undefined")
    assert rules(good) == {"page error"}


def a_question(*, by: str = "alice", colour: str = "blue") -> list[dict[str, Any]]:
    asked = {"title": "?", "schema": {"type": "object", "properties": {}}, "expiresAt": None}
    values = {"colour": colour}
    answered = {"action": "accept", "values": values, "by": by, "reason": "answered"}
    return log_of(
        ("session_created", {"title": "t", "agent": "demo", "mode": "", "cwd": ""}),
        ("question_asked", {"questionId": "q", **asked}),
        ("question_answered", {"questionId": "q", **answered}),
    )


def broken(evidence: Evidence) -> set[str]:
    return {violation.rule for violation in check_requests(evidence)}


def test_an_accepted_answer_is_in_the_log_once(good):
    good.sessions[SID] = session_of(a_question())
    given = GivenAnswer("q", SID, {"colour": "blue"})
    good.records[0].answers = [given]
    assert broken(good) == set()
    good.records[0].answers = [given, given]
    assert "I10" in broken(good)
    good.records[0].answers = [given]
    for lost in (a_question(by="expired"), a_question(colour="red"), a_question()[:1]):
        good.sessions[SID] = session_of(lost)
        assert "lost answer" in broken(good)


def test_a_question_is_answered_once(good):
    session = session_of(a_question()[:2])
    assert [violation.rule for violation in check_log(SID, session)] == ["I1"]


def test_a_rule_answers_for_its_owner_alone(good):
    events = log_of(
        ("session_created", {"title": "t", "agent": "demo", "mode": "", "cwd": ""}),
        (
            "permission_resolved",
            {"permId": "p", "decision": "allow", "by": "rule:7", "reason": "rule"},
        ),
    )
    good.sessions[SID] = session_of(events)
    good.rules = {"alice": [7]}
    assert "I11" not in broken(good)
    good.rules = {"alice": [8], "bob": [7]}
    assert "I11" in broken(good)


@pytest.mark.parametrize(
    ("pieces", "is_found"), [(["a", "b"], True), (["b", "a"], False), (["a", "a"], False)]
)
def test_the_output_that_grew_is_in_the_result(pieces, is_found):
    tool = {"messageId": "m", "toolId": "c"}
    done = ("tool_result", {**tool, "status": "completed", "content": "a\nb"})
    grown = [("tool_output", {**tool, "delta": piece}) for piece in pieces]
    assert (list(check_output(SID, session_of(log_of(*grown, done)))) == []) is is_found


@pytest.mark.parametrize(
    ("blobs", "is_good"),
    [
        (Blobs({"b"}, {"b"}), True),
        (Blobs({"b", "late"}, {"b"}), True),
        (Blobs({"b"}, set()), False),
        (Blobs(set(), {"b"}), False),
        (Blobs({"b"}, {"b", "orphan"}), False),
        (Blobs({"b"}, {"b"}, {"torn"}), False),
        (Blobs({"b", "late"}, {"b"}, after={"b"}), True),
        (Blobs({"b"}, {"b"}, after={"b", "orphan"}), False),
        (Blobs({"b"}, {"b"}, after=set()), False),
    ],
)
def test_blobs_are_there_and_named(good, blobs, is_good):
    image = {"images": [{"blob": "b", "mime": "image/png"}]}
    tool = {"messageId": "m", "toolId": "c", "status": "completed", "content": ""}
    good.sessions[SID].events = log_of(("tool_result", {**tool, **image}))
    good.blobs = blobs
    assert (list(check_blobs(good)) == []) is is_good
