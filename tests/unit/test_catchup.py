"""The catch-up rule, row by row of its table."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transport.frames import CHUNK_BYTES, join_chunks
from transport.live.catchup import Action, SkipReason, plan

BYTES = SkipReason.REPLAY_BYTES
TOO_MANY = SkipReason.MAX_REPLAY_GAP
PRUNED = (Action.SKIP, SkipReason.PRUNED)


@pytest.mark.parametrize(
    ("given_", "action", "reason"),
    [
        ({"cursor": None, "head": 0}, Action.SNAPSHOT, None),
        ({"cursor": None, "head": 9000}, Action.SNAPSHOT, None),
        ({"cursor": 0, "head": 0}, Action.SNAPSHOT, None),
        ({"cursor": 7, "head": 7}, Action.SNAPSHOT, None),
        ({"cursor": 7, "head": 7, "connecting": False}, Action.NONE, None),
        ({"cursor": 6, "head": 7}, Action.REPLAY, None),
        ({"cursor": 1, "head": 200}, Action.REPLAY, None),
        ({"cursor": 0, "head": 200}, Action.REPLAY, None),
        ({"cursor": 0, "head": 201}, Action.SKIP, SkipReason.MAX_REPLAY_GAP),
        ({"cursor": 0, "head": 6000}, Action.SKIP, SkipReason.MAX_REPLAY_GAP),
        (
            {"cursor": 0, "head": 6000, "skip_reason": SkipReason.SLOW_READER},
            Action.SKIP,
            SkipReason.SLOW_READER,
        ),
        ({"cursor": 9, "head": 50, "pruned_to": 10}, Action.SKIP, SkipReason.PRUNED),
        ({"cursor": 10, "head": 50, "pruned_to": 10}, Action.REPLAY, None),
        # Nothing is missing of a range that is empty.
        ({"cursor": 50, "head": 50, "pruned_to": 60}, Action.SNAPSHOT, None),
        ({"cursor": 8, "head": 7}, Action.RESET, None),
        ({"cursor": 8, "head": 7, "connecting": False}, Action.RESET, None),
        # What a round of periodic sync ordered is sent already, whatever has come since.
        ({"cursor": 9, "head": 500, "upto": 9}, Action.NONE, None),
        ({"cursor": 9, "head": 500, "upto": 8}, Action.NONE, None),
        ({"cursor": 9, "head": 50, "upto": 10}, Action.REPLAY, None),
        ({"cursor": 9, "head": 8, "upto": 8}, Action.RESET, None),
        ({"cursor": 0, "head": 1, "max_gap": 0}, Action.SKIP, SkipReason.MAX_REPLAY_GAP),
        # The same by bytes: a gap of exactly the budget is replayed, one byte more is skipped.
        ({"cursor": 6, "head": 7, "size": 1000, "max_bytes": 1000}, Action.REPLAY, None),
        ({"cursor": 6, "head": 7, "size": 1001, "max_bytes": 1000}, Action.SKIP, BYTES),
        (
            {"cursor": 6, "head": 7, "size": 1001, "max_bytes": 1000, "connecting": False},
            Action.SKIP,
            BYTES,
        ),
        ({"cursor": 0, "head": 201, "size": 9, "max_bytes": 1}, Action.SKIP, TOO_MANY),
        ({"cursor": 9, "head": 50, "pruned_to": 10, "size": 9, "max_bytes": 1}, *PRUNED),
        ({"cursor": 7, "head": 7, "size": 9, "max_bytes": 1}, Action.SNAPSHOT, None),
        ({"cursor": 8, "head": 7, "size": 9, "max_bytes": 1}, Action.RESET, None),
    ],
)
def test_each_row_of_the_table(given_: dict[str, Any], action: Action, reason: SkipReason | None):
    chosen = plan(**({"max_gap": 200} | given_))
    assert (chosen.action, chosen.reason) == (action, reason)
    assert chosen.is_full is (action is not Action.REPLAY)


@given(
    cursor=st.none() | st.integers(0, 1000),
    head=st.integers(0, 1000),
    max_gap=st.integers(0, 300),
    pruned_to=st.integers(0, 1000),
)
def test_i5_no_plan_replays_more_than_the_limit_or_what_is_pruned(cursor, head, max_gap, pruned_to):
    chosen = plan(cursor=cursor, head=head, max_gap=max_gap, pruned_to=pruned_to)
    if chosen.action is Action.REPLAY:
        assert 0 < chosen.gap <= max_gap
        assert chosen.cursor >= pruned_to
    assert (chosen.reason is not None) is (chosen.action is Action.SKIP)


@given(st.lists(st.integers(1, CHUNK_BYTES + 10), max_size=30))
def test_i8_chunks_hold_whole_frames_in_order_and_are_bounded(sizes):
    frames = [bytes([number % 251]) * size for number, size in enumerate(sizes)]
    chunks = join_chunks(frames)
    assert b"".join(chunks) == b"".join(frames)
    largest = max(sizes, default=0)
    assert all(len(chunk) <= max(CHUNK_BYTES, largest) for chunk in chunks)
