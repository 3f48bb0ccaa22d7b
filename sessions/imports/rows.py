"""Chats that began outside of Backstay: who may take them over, and the session of each."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePath
from uuid import UUID

from django.contrib.auth.models import AbstractUser
from django.db.models import Q
from django.utils import timezone

from sessions.agent_models import ImportedChat
from sessions.agents import registry
from sessions.agents.chats import lines, occupied
from sessions.agents.chats.found import FoundChat
from sessions.core.conf import chat
from sessions.core.errors import Forbidden, OpenElsewhere
from sessions.models import Session
from sessions.workspace import roots


@dataclass(frozen=True, slots=True)
class Known:
    """A session of Backstay that has an agent's chat. said_at: of its last event, in seconds."""

    session_id: UUID
    owner_id: int
    said_at: float


def check_may(user: AbstractUser) -> None:
    """Check that a user may see the chats of the system user that agents run as.

    Raises Forbidden. Staff may, the only account may, and each account whose agents run as a
    system user of its own.
    """
    has_own = "{account}" in chat.AGENT_USER
    if not (has_own or user.is_staff or roots.has_single_account()):
        raise Forbidden("These chats belong to the system user of this server: staff see them.")


def known(ids: Collection[str]) -> dict[str, Known]:
    """Return the sessions of all users that have some of an agent's chats, by the agent's ids."""
    wanted = set(ids)
    # A row may keep two ids, with a line break between: see sessions.agents.acp.memory.
    rows = Session.objects.filter(
        Q(agent_session_id__in=wanted) | Q(agent_session_id__contains="\n")
    ).values_list("agent_session_id", "pk", "owner_id", "last_activity_at")
    found = {
        own: Known(pk, owner_id, said_at.timestamp())
        for kept, pk, owner_id, said_at in rows
        for own in kept.split("\n")
        if own in wanted
    }
    imported = ImportedChat.objects.filter(agent_session_id__in=wanted).values_list(
        "agent_session_id", "session_id", "owner_id", "session__last_activity_at"
    )
    for own, pk, owner_id, said_at in imported:
        found[own] = Known(pk, owner_id, said_at.timestamp())
    return found


def programs_of(agent: str) -> frozenset[str]:
    """Return the names of the programs that write an agent's chats in a terminal."""
    words = registry.find(agent).terminal
    return frozenset({PurePath(words[0]).name}) if words else frozenset()


def changed_at(agent: str, agent_session_id: str, cwd: str) -> float:
    """Return when an agent's own file of a chat was changed, 0 where it has none."""
    files = registry.find(agent).files
    place = files.place(agent_session_id, cwd) if files and not chat.AGENT_USER else None
    return lines.changed_at(place) if place is not None else 0.0


def is_open(session: Session) -> bool:
    """Return whether a program outside may write the imported chat of a session."""
    row = ImportedChat.objects.filter(session=session).first()
    if row is None:
        return False
    changed = changed_at(row.agent, row.agent_session_id, session.cwd)
    told = row.changed_at.timestamp() if row.changed_at else 0.0
    one = FoundChat(row.agent_session_id, session.cwd, changed_at=max(changed, told))
    ours_at = session.last_activity_at.timestamp() if _has_continued(session) else 0.0
    now = timezone.now().timestamp()
    outside = occupied.running(programs_of(row.agent))
    return occupied.is_open(one, outside, ours_at=ours_at, now=now)


def check_not_open(session: Session) -> None:
    """Check that a chat is in no terminal; its running agent is ours. Raises OpenElsewhere."""
    if session.lease_until is None and is_open(session):
        raise OpenElsewhere(sessionId=str(session.pk))


def moment(seconds: float) -> datetime | None:
    """Return a time in seconds since the epoch, None for 0 and for one that no calendar has."""
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds > 0 else None
    except (ValueError, OverflowError, OSError):
        return None


def _has_continued(session: Session) -> bool:
    """Return whether anything was said in a session since its import."""
    return session.prompts.exists()
