"""A lease: a runner's hold on a session, and the one rule of when a session is held."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from sessions.models import Session


@dataclass(frozen=True, slots=True)
class Lease:
    """A runner's hold on a session: appends under an older epoch are refused."""

    session_id: UUID
    runner_id: str
    epoch: int


def unheld(now: datetime, *, prefix: str = "") -> Q:
    """Return the condition of a session that no runner holds; prefix: the way to the session."""
    return Q(**{f"{prefix}lease_until__isnull": True}) | Q(**{f"{prefix}lease_until__lt": now})


def is_held(session: Session, now: datetime) -> bool:
    """Return whether a runner holds a session, as its row says."""
    return session.lease_until is not None and session.lease_until >= now
