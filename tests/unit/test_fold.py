"""The fold: recorded turns, and the properties that clients rely on."""

import copy
import json
from pathlib import Path

import pytest
from hypothesis import given

from sessions.eventlog import fold
from sessions.eventlog.bounded.growing import merged
from sessions.eventlog.events import Draft, EventType
from tests.support import turns

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "turns.json").read_text())["turns"]


@pytest.mark.parametrize("turn", GOLDEN, ids=lambda turn: turn["name"])
def test_recorded_turns_fold_to_their_snapshots(turn):
    start = fold.empty(turn["events"][0]["sessionId"])
    middle = turn["middle"]
    assert fold.fold_all(start, turn["events"][: middle["at"]]) == middle["snapshot"]
    rest = turn["events"][middle["at"] :]
    assert fold.fold_all(middle["snapshot"], rest) == turn["snapshot"]


def test_the_recording_has_every_kind_of_event():
    recorded = {event["type"] for turn in GOLDEN for event in turn["events"]}
    assert set(EventType) - recorded <= {"title_changed", "mode_changed", "error"}


def envelopes(drafts: list[Draft]):
    return [
        {"v": 1, "type": draft.type, "sessionId": "s", "seq": seq, "ts": "t", **draft.payload}
        for seq, draft in enumerate(drafts, start=1)
    ]


@given(turns.logs())
def test_folding_changes_neither_argument(drafts):
    events = envelopes(drafts)
    state = fold.empty("s")
    for event in events:
        before, event_before = copy.deepcopy(state), copy.deepcopy(event)
        after = fold.fold(state, event)
        assert (state, event) == (before, event_before)
        state = after


@given(turns.logs())
def test_joined_deltas_fold_to_the_same_snapshot(drafts):
    events = envelopes(drafts)
    whole = fold.fold_all(fold.empty("s"), events)
    joined = fold.fold_all(fold.empty("s"), merged(events))
    assert joined | {"cursor": whole["cursor"]} == whole


@given(turns.logs())
def test_a_session_at_rest_shows_idle_and_nothing_open(drafts):
    taken = fold.fold_all(fold.empty("s"), envelopes(drafts))
    assert taken["runState"] == "idle"
    assert taken["permissions"] == []
    assert taken["current"] is None
    seqs = [message["seq"] for message in taken["messages"]]
    assert seqs == sorted(set(seqs))


def test_an_unknown_type_only_moves_the_cursor():
    start = fold.empty("s")
    event = {"v": 1, "type": "from_the_future", "seq": 7}
    assert fold.fold(start, event) == start | {"cursor": 7}


def test_the_recording_has_every_part_that_can_be_cut():
    folded = [turn["snapshot"]["messages"] for turn in GOLDEN]
    blocks = [b for messages in folded for m in messages for b in m.get("blocks", [])]
    assert {part for block in blocks for part in block.get("cut", {})} >= {
        "content",
        "html",
        "input",
        "result",
    }
    growing = [turn["middle"]["snapshot"]["current"] for turn in GOLDEN]
    assert any(b.get("cut") and not b["done"] for m in growing if m for b in m["blocks"])
