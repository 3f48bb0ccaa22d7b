"""How long a session with nothing to do is kept."""

import math
from datetime import UTC, datetime, timedelta

import pytest

from sessions.models import Session
from sessions.runner import idle

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
# The defaults: IDLE_TTL_S, SUSPEND_GRACE_S.
IDLE_S, GRACE_S = 1800, 120


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("state", "unwatched", "active", "closes", "expected"),
    [
        ("ACTIVE", None, 9999, False, (None, math.inf)),
        ("ACTIVE", None, 0, True, ("closed", 0)),
        ("CLOSING", 1, 1, False, ("closed", 0)),
        ("ENDED", 1, 1, False, ("ended", 0)),
        ("DETACHED", IDLE_S - 10, 9999, False, (None, 10)),
        ("DETACHED", IDLE_S, 9999, False, ("idle", 0)),
        ("DETACHED", 9999, 5, False, (None, IDLE_S - 5)),  # it has just worked
        ("SUSPENDED", GRACE_S - 1, 9999, False, (None, 1)),
        ("SUSPENDED", GRACE_S, 9999, False, ("suspend_grace", 0)),
    ],
)
def test_an_idle_session_is_kept_as_long_as_its_state_says(
    state: str, unwatched: float | None, active: float, closes: bool, expected: tuple
) -> None:
    session = Session(
        state=state,
        unwatched_since=None if unwatched is None else ago(unwatched),
        last_activity_at=ago(active),
        closes_when_done=closes,
    )
    assert idle.left(session, now=NOW) == expected
    # Work in the background keeps an agent, but for a person who closes it.
    is_closed = expected[0] in ("closed", "ended")
    kept = idle.left(session, now=NOW, is_working=True)
    assert kept == (expected if is_closed else (None, math.inf))


@pytest.mark.parametrize(
    ("before", "is_working", "expected"),
    [
        (None, False, 7.0),
        (3.0, False, 3.0),
        (None, True, math.inf),
        (3.0, True, math.inf),
        (math.inf, False, 7.0),  # the work is over: it is idle from now on
    ],
)
def test_an_agent_with_work_in_the_background_is_the_last_to_make_room(
    before: float | None, expected: float, *, is_working: bool
) -> None:
    assert idle.since(before, now=7.0, is_working=is_working) == expected
