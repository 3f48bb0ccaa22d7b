"""Leases: which runner holds which session, and until when.

A runner renews at a third of LEASE_S. One that does not is taken for dead: another claims the
session under the next epoch, and whatever the late one still appends is refused. What its agent
does to files nobody can refuse, so a runner that cannot renew ends its agents before that.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F, Q
from django.utils import timezone

from sessions.core.conf import chat
from sessions.core.host import is_dead_here
from sessions.core.states import LIVE_STATES
from sessions.eventlog.store import Lease
from sessions.models import Command, Session

# In parts of LEASE_S: when a runner renews, how soon it tries again after a failure, and how long
# after the last renewal it gives its sessions up. The rest is for ending the agents, and for clocks
# of several hosts that are not quite the same.
RENEW = 1 / 3
RETRY = 1 / 15
GIVE_UP = 0.8

_OPEN_PROMPTS = (Command.State.ACCEPTED, Command.State.DISPATCHED)


def waiting(limit: int, *, but_not: Collection[UUID] = ()) -> list[UUID]:
    """Return sessions with prompts to run and no runner, the longest waiting first. One query.

    but_not: sessions to pass over.
    """
    commands = (
        Command.objects.filter(free(timezone.now(), prefix="session__"), state__in=_OPEN_PROMPTS)
        .exclude(session__state__in=sorted(LIVE_STATES))  # these are to be recovered first
        .exclude(session_id__in=but_not)
        .order_by("created_at")
        .values_list("session_id", flat=True)[: limit * 4]
    )
    return list(dict.fromkeys(commands))[:limit]


def orphaned(limit: int) -> list[UUID]:
    """Return sessions that a dead runner left live, the longest left first. One query."""
    orphans = Session.objects.filter(free(timezone.now()), state__in=sorted(LIVE_STATES))
    return list(orphans.order_by("lease_until").values_list("pk", flat=True)[:limit])


def expire_dead_here() -> None:
    """Free the sessions of runners of this host that run no more: nobody waits for their leases.

    A server that was killed and starts again takes its sessions over at once.
    """
    held = Session.objects.filter(lease_until__gte=timezone.now())
    runners = held.order_by().values_list("runner_id", flat=True).distinct()
    dead = [runner for runner in runners if is_dead_here(runner)]
    if dead:
        Session.objects.filter(runner_id__in=dead).update(lease_until=None)


def free(now: datetime, prefix: str = "") -> Q:
    """Return the condition of a session that no runner holds; prefix: the way to the session."""
    return Q(**{f"{prefix}lease_until__isnull": True}) | Q(**{f"{prefix}lease_until__lt": now})


def claim(session_id: UUID, runner_id: str) -> Lease | None:
    """Take a free session under its next epoch, or return None when another was faster."""
    now = timezone.now()
    taken = Session.objects.filter(free(now), pk=session_id).update(
        runner_id=runner_id, lease_epoch=F("lease_epoch") + 1, lease_until=_until(now)
    )
    if not taken:
        return None
    epoch = Session.objects.values_list("lease_epoch", flat=True).get(pk=session_id)
    return Lease(session_id, runner_id, epoch)


def renew(runner_id: str, session_ids: Collection[UUID]) -> set[UUID]:
    """Extend a runner's hold on its sessions; return those that it still holds."""
    held = Session.objects.filter(pk__in=session_ids, runner_id=runner_id)
    held.update(lease_until=_until(timezone.now()))
    return set(held.values_list("pk", flat=True))


def release(lease: Lease) -> None:
    """Give a session up, unless another runner holds it by now."""
    Session.objects.filter(
        pk=lease.session_id, runner_id=lease.runner_id, lease_epoch=lease.epoch
    ).update(runner_id="", lease_until=None)


def _until(now: datetime) -> datetime:
    return now + timedelta(seconds=chat.LEASE_S)
