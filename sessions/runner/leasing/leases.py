"""Leases in the database: sessions to claim, claiming, renewing and releasing them.

A runner renews at a third of LEASE_S. One that does not is taken for dead: another runner claims
the session under the next epoch, and late appends of the first are refused. Its agent's changes to
files cannot be refused, so a runner that cannot renew ends its agents before that.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, F, OuterRef, Subquery, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from sessions.core.conf import chat
from sessions.core.host import is_dead_here
from sessions.core.states import LIVE_STATES
from sessions.eventlog.lease import Lease, unheld
from sessions.models import Prompt, Session
from sessions.runner.leasing.fairness import Waiting, in_turn


def waiting(
    limit: int, *, but_not: Collection[UUID] = (), served: Mapping[int, float] | None = None
) -> list[Waiting]:
    """Return sessions with prompts to run and no runner, in the order of fairness. Two queries.

    but_not: sessions to pass over. served: the time of each owner's last turn.
    """
    oldest = Prompt.objects.open().filter(session=OuterRef("pk")).order_by("seq")
    found = (
        Session.objects.filter(unheld(timezone.now()))
        .exclude(state__in=sorted(LIVE_STATES))  # these are to be recovered first
        .exclude(pk__in=but_not)
        .annotate(since=Subquery(oldest.values("created_at")[:1]))
        .filter(since__isnull=False)
        .annotate(place=Window(RowNumber(), partition_by=F("owner"), order_by="since"))
        .filter(place__lte=limit)
        .order_by("since")
    )
    rows = [Waiting(*row) for row in found.values_list("pk", "owner_id", "since")]
    if not rows:
        return []
    return in_turn(rows, held=_held_by_owner(), served=served or {}, limit=limit)


def _held_by_owner() -> dict[int, int]:
    held = Session.objects.exclude(unheld(timezone.now())).order_by()
    return dict(held.values_list("owner_id").annotate(Count("pk")))


def orphaned(limit: int) -> list[UUID]:
    """Return sessions that a dead runner left live, the longest left first. One query."""
    orphans = Session.objects.filter(unheld(timezone.now()), state__in=sorted(LIVE_STATES))
    return list(orphans.order_by("lease_until").values_list("pk", flat=True)[:limit])


def expire_dead_here() -> None:
    """Free the sessions of runners of this host that run no more, before their leases end.

    A server that was killed and starts again takes its sessions over at once.
    """
    held = Session.objects.filter(lease_until__gte=timezone.now())
    runners = held.order_by().values_list("runner_id", flat=True).distinct()
    dead = [runner for runner in runners if is_dead_here(runner)]
    if dead:
        Session.objects.filter(runner_id__in=dead).update(lease_until=None)


def claim(session_id: UUID, runner_id: str) -> Lease | None:
    """Take a free session under its next epoch, or return None when another was faster."""
    now = timezone.now()
    taken = Session.objects.filter(unheld(now), pk=session_id).update(
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
    """Release a session, unless another runner holds it by now."""
    Session.objects.filter(
        pk=lease.session_id, runner_id=lease.runner_id, lease_epoch=lease.epoch
    ).update(runner_id="", lease_until=None)


def _until(now: datetime) -> datetime:
    return now + timedelta(seconds=chat.LEASE_S)
