"""The life of a session: its states, the moves between them, and which of them are synced.

Pure: see docs/reference/protocol.md#the-life-of-a-session.
"""

from __future__ import annotations

from enum import StrEnum

from sessions.core.errors import InvalidTransition


class SessionState(StrEnum):
    """Where a session is in its life."""

    CREATED = "CREATED"
    STARTING = "STARTING"
    ACTIVE = "ACTIVE"
    DETACHED = "DETACHED"
    SUSPENDED = "SUSPENDED"
    CLOSING = "CLOSING"
    ENDED = "ENDED"


class RunState(StrEnum):
    """The agent's state for a person. It follows from the log alone."""

    IDLE = "idle"
    RUNNING = "running"
    REQUIRES_ACTION = "requires_action"


S = SessionState

TRANSITIONS: dict[SessionState, frozenset[SessionState]] = {
    S.CREATED: frozenset({S.STARTING, S.ENDED}),
    S.STARTING: frozenset({S.ACTIVE, S.ENDED}),
    S.ACTIVE: frozenset({S.DETACHED, S.SUSPENDED, S.CLOSING, S.ENDED}),
    S.DETACHED: frozenset({S.ACTIVE, S.SUSPENDED, S.CLOSING, S.ENDED}),
    S.SUSPENDED: frozenset({S.ACTIVE, S.ENDED}),
    S.CLOSING: frozenset({S.ENDED}),
    S.ENDED: frozenset({S.CREATED}),
}

# An agent process exists, or is being started: a runner must own the session.
LIVE_STATES = frozenset({S.STARTING, S.ACTIVE, S.DETACHED, S.SUSPENDED, S.CLOSING})

SYNCED_STATES = frozenset({S.CREATED, S.STARTING, S.ACTIVE})


def check_transition(before: SessionState, after: SessionState) -> None:
    """Raise InvalidTransition unless a session may move from before to after."""
    if after not in TRANSITIONS[before]:
        raise InvalidTransition(
            f"A session cannot move from {before} to {after}.", state=before.value
        )


def should_sync(state: str | None) -> bool:
    """Return whether periodic sync may touch a session in this state; None is an unknown session.

    Long suspended or ended sessions are left alone: replaying into them once delayed every live
    one by minutes.
    """
    return state in SYNCED_STATES
