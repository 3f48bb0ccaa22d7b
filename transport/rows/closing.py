"""The end of Connection rows: closed by their owner, reaped after it, and forgotten later."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from sessions.access.credentials import login_prefix
from sessions.core.conf import chat
from sessions.core.db import without_fsync
from sessions.core.host import is_dead_here
from transport.models import Connection, Watch


def close_of_login(session_key: str) -> list[UUID]:
    """Close the connections of a log-in that has ended; their owners end the streams."""
    return _close(Q(credential__startswith=login_prefix(session_key)), "logged out")


def close(connection_id: UUID, reason: str) -> list[UUID]:
    """Close one connection and its watches; return the sessions that it watched."""
    return _close(Q(pk=connection_id), reason)


def reap(now: datetime | None = None) -> list[UUID]:
    """Close the connections whose process is gone; return the sessions that they watched."""
    now = now or timezone.now()
    lease = timedelta(seconds=chat.LEASE_S)
    # Times from the future are of a clock that was set back: live streams renew them in time.
    Connection.objects.filter(closed_at__isnull=True, last_seen_at__gt=now + lease).update(
        last_seen_at=now
    )
    expiry = now - lease
    gone = Q(last_seen_at__lt=expiry) | Q(process__in=_dead_processes_here())
    return _close(gone, "process gone")


def forget_closed(*, older_than_s: float) -> int:
    """Delete rows of connections that were closed long ago; return how many."""
    limit = timezone.now() - timedelta(seconds=older_than_s)
    return Connection.objects.filter(closed_at__lt=limit).delete()[0]


@without_fsync()
def _close(which: Q, reason: str) -> list[UUID]:
    now = timezone.now()
    with transaction.atomic():
        ids = list(
            Connection.objects.select_for_update(no_key=True)
            .filter(which, closed_at__isnull=True)
            .values_list("pk", flat=True)
        )
        watches = Watch.objects.filter(connection_id__in=ids, closed_at__isnull=True)
        watched = list(watches.values_list("session_id", flat=True).distinct())
        watches.update(closed_at=now)
        Connection.objects.filter(pk__in=ids).update(closed_at=now, close_reason=reason)
    return watched


def _dead_processes_here() -> list[str]:
    """Return the processes of this host that hold open connections and no longer run."""
    names = Connection.objects.filter(closed_at__isnull=True).values_list("process", flat=True)
    return [name for name in names.distinct() if is_dead_here(name)]
