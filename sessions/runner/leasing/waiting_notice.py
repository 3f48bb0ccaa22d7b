"""Notices in the log that a prompt waits because all agents are busy, one for each wait."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from sessions.control import lifecycle, prompts
from sessions.core.conf import chat
from sessions.eventlog import drafts, store
from sessions.eventlog.events import EventType
from sessions.eventlog.lease import is_held, unheld
from sessions.models import Event, Prompt

CODE = "waiting_for_agent"
# Another runner with room claims within a round (TAIL_INTERVAL_S): no notice before that.
PATIENCE_S = 2.0
# At most so many in one round; the longest waiting first.
TOLD_AT_ONCE = 50


def tell_who_waits() -> int:
    """Tell the sessions that wait and do not know it yet; return how many. Call it when full."""
    return sum(_tell(session_id) for session_id in _untold())


def _untold() -> list[UUID]:
    now = timezone.now()
    waiting = Prompt.objects.waiting().filter(
        unheld(now, prefix="session__"), created_at__lt=now - timedelta(seconds=PATIENCE_S)
    )
    # Those behind the first of a session wait for that one.
    earlier = Prompt.objects.waiting().filter(session=OuterRef("session"), seq__lt=OuterRef("seq"))
    told = Event.objects.filter(
        session=OuterRef("session"),
        seq__gt=OuterRef("seq"),
        type=EventType.ERROR,
        payload__code=CODE,
    )
    first = waiting.filter(~Exists(earlier), ~Exists(told)).order_by("created_at")
    return list(first.values_list("session_id", flat=True)[:TOLD_AT_ONCE])


def _tell(session_id: UUID) -> bool:
    with transaction.atomic():
        session = lifecycle.locked(session_id)
        oldest = prompts.oldest_waiting(session_id)
        if oldest is None or is_held(session, timezone.now()) or _is_told(session_id, after=oldest):
            return False  # a runner, or another one that is full, was faster
        error = (
            f"All agents are busy (a runner has {chat.MAX_AGENTS} at once): the prompt waits, and "
            "runs as soon as one of them is free."
        )
        store.append(session_id, [drafts.error(code=CODE, error=error)])
        return True


def _is_told(session_id: UUID, *, after: int) -> bool:
    told = Event.objects.filter(session=session_id, type=EventType.ERROR, payload__code=CODE)
    return told.filter(seq__gt=after).exists()
