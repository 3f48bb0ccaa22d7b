"""A rate limit for passwords: attempts are counted in the database, for all processes."""

from __future__ import annotations

import hashlib
import math
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from sessions.models import LoginThrottle

WINDOW: Final = timedelta(minutes=15)
# One name from one address: a person mistypes. One address: a program tries many names.
# A name alone is not counted: any stranger could lock its owner out.
MAX_PER_NAME: Final = 5
MAX_PER_ADDRESS: Final = 30


def attempt(username: str, address: str) -> int:
    """Count an attempt to log in; return the seconds to wait, 0 for none.

    It is counted before the password is looked at, so that attempts at once do not slip through.
    """
    now = timezone.now()
    with transaction.atomic():
        _over(now).delete()
        waits = [
            _count(key, limit, now)
            for key, limit in (
                (_key("name", username.lower(), address), MAX_PER_NAME),
                (_key("address", address), MAX_PER_ADDRESS),
            )
        ]
    return max(waits)


def forget(username: str, address: str) -> None:
    """Take an attempt back: the password was right."""
    with transaction.atomic():
        LoginThrottle.objects.filter(key=_key("name", username.lower(), address)).delete()
        # Only this attempt: a right password of one's own must not buy more guesses at others.
        rows = LoginThrottle.objects.filter(key=_key("address", address), attempts__gt=0)
        rows.update(attempts=F("attempts") - 1)


def _over(now: datetime) -> QuerySet[LoginThrottle]:
    """Return the windows that are over; one from the future is of a clock that was set back."""
    return LoginThrottle.objects.filter(Q(resets_at__lte=now) | Q(resets_at__gt=now + WINDOW))


def _count(key: str, limit: int, now: datetime) -> int:
    rows = LoginThrottle.objects.filter(key=key)
    LoginThrottle.objects.get_or_create(key=key, defaults={"resets_at": now + WINDOW})
    # The update takes the row's lock: the read behind it includes all other attempts.
    rows.update(attempts=F("attempts") + 1)
    row = rows.get()
    return math.ceil((row.resets_at - now).total_seconds()) if row.attempts > limit else 0


def _key(*parts: str) -> str:
    # A digest has one length whatever was typed, and keeps typed secrets out of the table.
    return hashlib.sha256("\0".join(parts).encode(errors="replace")).hexdigest()
