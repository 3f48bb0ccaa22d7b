"""The lock of periodic sync: one copy works, and another takes over when its lease has expired."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from sessions.core.conf import chat
from sessions.core.host import is_dead_here
from transport.models import SyncLock

LOCK: Final = "periodic_sync"


def acquire(holder: str, *, pause_s: float = 0, now: datetime | None = None) -> bool:
    """Take the lock, or take it again; False while another copy holds it.

    It is held for LEASE_S, and for pause_s more: how long the holder sleeps between its rounds.
    """
    now = now or timezone.now()
    with transaction.atomic():
        SyncLock.objects.get_or_create(name=LOCK)
        row = SyncLock.objects.select_for_update(no_key=True).get(name=LOCK)
        is_held = row.holder != holder and _is_held(row, _until(now, pause_s), now)
        # A copy on this host that was killed is known to be gone: no need to wait for its lease.
        if is_held and not is_dead_here(row.holder):
            return False
        SyncLock.objects.filter(name=LOCK).update(holder=holder, held_until=_until(now, pause_s))
    return True


def renew(holder: str, *, pause_s: float = 0, now: datetime | None = None) -> bool:
    """Hold the lock for longer, in the middle of a round; False when another copy has taken it."""
    held_until = _until(now or timezone.now(), pause_s)
    return bool(SyncLock.objects.filter(name=LOCK, holder=holder).update(held_until=held_until))


def _is_held(row: SyncLock, until: datetime, now: datetime) -> bool:
    """Return whether the lock is held; one that lasts twice its time is of a clock set back."""
    return row.held_until is not None and now < row.held_until <= until + (until - now)


def _until(now: datetime, pause_s: float) -> datetime:
    return now + timedelta(seconds=chat.LEASE_S + pause_s)


def release(holder: str) -> None:
    """Give the lock back, so that a waiting copy takes over at once."""
    mine = Q(name=LOCK, holder=holder)
    SyncLock.objects.filter(mine).update(holder="", held_until=None)
