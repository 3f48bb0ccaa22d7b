"""The time that a session with nothing to do is kept. Pure."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Protocol

from sessions.core.conf import chat
from sessions.core.states import SessionState


class Idler(Protocol):
    """The facts of a session's row that decide."""

    state: str
    closes_when_done: bool
    last_activity_at: datetime
    unwatched_since: datetime | None


def left(session: Idler, *, now: datetime, is_working: bool = False) -> tuple[str | None, float]:
    """Return (reason, 0) when an idle session is to end now, else (None, seconds until it is).

    inf while a client watches it, and while its agent works in the background.
    """
    if session.closes_when_done or session.state == SessionState.CLOSING:
        return "closed", 0.0
    if session.state == SessionState.ENDED:
        return "ended", 0.0
    if session.unwatched_since is None or is_working:
        return None, math.inf
    is_suspended = session.state == SessionState.SUSPENDED
    ttl_s = chat.SUSPEND_GRACE_S if is_suspended else chat.IDLE_TTL_S
    # The time without both a watcher and work counts. A time in the future comes from a clock
    # that was set back: it counts as now.
    since = min(max(session.unwatched_since, session.last_activity_at), now)
    left_s = (since + timedelta(seconds=ttl_s) - now).total_seconds()
    if left_s > 0:
        return None, left_s
    return "suspend_grace" if is_suspended else "idle", 0.0


def since(before: float | None, *, now: float, is_working: bool) -> float:
    """Return the time since which a session is idle; inf while its agent works in the background.

    before: the time that was told last, None after a turn. The longest idle one makes room first.
    """
    if is_working:
        return math.inf
    return now if before is None or math.isinf(before) else before
