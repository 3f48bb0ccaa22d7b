"""docs/reference/protocol.md#the-life-of-a-session, as a table."""

import itertools

import pytest

from sessions.control.lifecycle import watched_state
from sessions.core.errors import InvalidTransition
from sessions.core.states import SessionState as S
from sessions.core.states import check_transition, should_sync

ALLOWED = {
    (S.CREATED, S.STARTING),
    (S.CREATED, S.ENDED),
    (S.STARTING, S.ACTIVE),
    (S.STARTING, S.ENDED),
    (S.ACTIVE, S.DETACHED),
    (S.ACTIVE, S.SUSPENDED),
    (S.ACTIVE, S.CLOSING),
    (S.ACTIVE, S.ENDED),
    (S.DETACHED, S.ACTIVE),
    (S.DETACHED, S.SUSPENDED),
    (S.DETACHED, S.CLOSING),
    (S.DETACHED, S.ENDED),
    (S.SUSPENDED, S.ACTIVE),
    (S.SUSPENDED, S.ENDED),
    (S.CLOSING, S.ENDED),
    (S.ENDED, S.CREATED),
}


@pytest.mark.parametrize(("before", "after"), [*itertools.product(S, S)])
def test_a_move_is_allowed_by_the_table_or_raises(before, after):
    if (before, after) in ALLOWED:
        check_transition(before, after)
    else:
        with pytest.raises(InvalidTransition):
            check_transition(before, after)


@pytest.mark.parametrize("state", [*S, None, "", "UNKNOWN"])
def test_only_created_starting_and_active_are_synced(state):
    assert should_sync(state) is (state in {"CREATED", "STARTING", "ACTIVE"})


@pytest.mark.parametrize(
    ("state", "foreground", "background", "expected"),
    [
        (S.ACTIVE, 1, 0, S.ACTIVE),
        (S.ACTIVE, 1, 3, S.ACTIVE),
        (S.ACTIVE, 0, 1, S.SUSPENDED),
        (S.ACTIVE, 0, 0, S.DETACHED),
        (S.DETACHED, 1, 0, S.ACTIVE),
        (S.DETACHED, 0, 2, S.SUSPENDED),
        (S.SUSPENDED, 1, 0, S.ACTIVE),
        (S.SUSPENDED, 0, 0, S.SUSPENDED),
        (S.CREATED, 0, 0, S.CREATED),
        (S.STARTING, 0, 1, S.STARTING),
        (S.CLOSING, 1, 0, S.CLOSING),
        (S.ENDED, 1, 0, S.ENDED),
    ],
)
def test_watchers_move_only_a_session_whose_agent_is_up(state, foreground, background, expected):
    target = watched_state(state, foreground=foreground, background=background)
    assert target == expected
    if target != state:
        check_transition(state, target)
