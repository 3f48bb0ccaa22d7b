"""Payloads are checked, text is made storable, frames are well formed."""

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.core.clean import CUT, MAX_DEPTH, clean
from sessions.core.errors import InvalidRequest
from sessions.eventlog.events import Draft, LoggedEvent
from transport.frames import encode, encode_frame

SESSION = UUID("00000000-0000-4000-8000-000000000001")
NOON = datetime(2026, 11, 23, 12, 0, 0, 123_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("no_such_type", {}),
        ("message_end", {}),
        ("message_end", {"messageId": 7}),
        ("message_end", {"messageId": "m", "extra": 1}),
        ("turn_end", {"turnId": "t", "stopReason": "boredom"}),
        ("usage", {"inputTokens": -1, "outputTokens": 0}),
        ("block_start", {"messageId": "m", "blockId": "b", "blockType": "video"}),
    ],
)
def test_a_malformed_draft_is_refused(kind, payload):
    with pytest.raises(InvalidRequest):
        Draft(kind, payload).checked()


def test_text_that_no_database_holds_is_replaced_not_refused():
    draft = Draft("error", {"code": "a\x00b", "error": "half \ud83d pair"}).checked()
    assert draft.payload == {"code": "a\ufffdb", "error": "half \ufffd pair"}


@given(
    st.recursive(
        st.none() | st.floats() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_cleaned_data_is_json_without_nul(value):
    text = json.dumps(clean(value), allow_nan=False)
    assert "\\u0000" not in text
    text.encode()


def test_what_is_nested_too_deeply_is_cut_where_it_gets_too_deep():
    value: object = "bottom"
    for _ in range(100_000):
        value = [value]
    cut, depth = clean({"input": value})["input"], 1
    while isinstance(cut, list):
        [cut], depth = cut, depth + 1
    assert (cut, depth) == (CUT, MAX_DEPTH)


@pytest.mark.parametrize("cost", [-1.0, float("nan"), float("inf"), 1e300])
def test_a_cost_that_would_spoil_every_sum_is_refused(cost):
    with pytest.raises(InvalidRequest):
        Draft("usage", {"inputTokens": 0, "outputTokens": 0, "costUsd": cost}).checked()


def test_frame_carries_id_and_one_line_of_data():
    event = LoggedEvent(SESSION, 42, "message_end", NOON, {"messageId": "a\nb"})
    frame = encode(event).decode()
    head, data, *rest = frame.split("\n")
    assert head == f"id: {SESSION}:42"
    assert rest == ["", ""]
    assert json.loads(data.removeprefix("data: ")) == {
        "v": 1,
        "type": "message_end",
        "sessionId": str(SESSION),
        "seq": 42,
        "ts": "2026-11-23T12:00:00.123Z",
        "messageId": "a\nb",
    }


def test_frame_without_seq_names_its_event_and_retry():
    frame = encode_frame({"protocol": 1}, event="welcome", retry_ms=1000)
    assert frame == b'retry: 1000\nevent: welcome\ndata: {"protocol":1}\n\n'
