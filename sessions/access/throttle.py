"""A rate limit for passwords: attempts are counted in the database, for all processes."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from sessions.account_models import LoginThrottle
from sessions.core import addresses
from sessions.core.db import without_fsync
from sessions.trail.failures import failures

WINDOW: Final = timedelta(minutes=15)
# One name from one address: a person mistypes. One address: a program tries many names.
# A name alone is not counted: any stranger could lock its owner out.
MAX_PER_NAME: Final = 5
MAX_PER_ADDRESS: Final = 30
# Attempts at once read the clock one after the other, and wait for the database in between. A
# window that ends later than this beyond its length is of a clock that was set back.
CLOCK_SLACK: Final = timedelta(minutes=2)
# One account, from all addresses: only a person with its password gets to try a code.
MAX_CODES: Final = 5


def attempt(username: str, address: str) -> int:
    """Count an attempt to log in; return the seconds to wait, 0 for none.

    Addresses of one IPv6 network of /64 count as one: a single customer has all of them.

    It is counted before the password is looked at, so that attempts at once do not slip through.
    One that has to wait writes nothing: a flood of them does not keep the disk from the log.
    """
    place = addresses.network(address)
    wait_s = _attempt(
        {
            _key("name", username.lower(), place): MAX_PER_NAME,
            _key("address", place): MAX_PER_ADDRESS,
        }
    )
    if wait_s:
        failures.note(address)
    return wait_s


def forget(username: str, address: str) -> None:
    """Take an attempt back: the password was right."""
    place = addresses.network(address)
    with without_fsync(), transaction.atomic():
        LoginThrottle.objects.filter(key=_key("name", username.lower(), place)).delete()
        # Only this attempt: a right password of one's own must not buy more guesses at others.
        rows = LoginThrottle.objects.filter(key=_key("address", place), attempts__gt=0)
        rows.update(attempts=F("attempts") - 1)


def attempt_code(user_id: int) -> int:
    """Count a try at the second factor of an account; return the seconds to wait, 0 for none."""
    return _attempt({_key("code", str(user_id)): MAX_CODES})


def forget_codes(user_id: int) -> None:
    """Take the tries at a second factor back: the code was right."""
    LoginThrottle.objects.filter(key=_key("code", str(user_id))).delete()


def _attempt(limits: Mapping[str, int]) -> int:
    """Count an attempt under each key, unless one of them is over its limit already."""
    now = timezone.now()
    wait_s = _wait_s(limits, now)
    if wait_s:
        return wait_s
    with without_fsync(), transaction.atomic():
        _over(now).delete()
        return max(_count(key, limit, now) for key, limit in limits.items())


def _wait_s(limits: Mapping[str, int], now: datetime) -> int:
    """Return the seconds until no key is over its limit any more. One query."""
    rows = LoginThrottle.objects.filter(key__in=limits).exclude(pk__in=_over(now).values("pk"))
    ends = [row.resets_at for row in rows if row.attempts > limits[row.key]]
    return max((math.ceil((end - now).total_seconds()) for end in ends), default=0)


def _over(now: datetime) -> QuerySet[LoginThrottle]:
    """Return the windows that are over; one from the future is of a clock that was set back."""
    latest = now + WINDOW + CLOCK_SLACK
    return LoginThrottle.objects.filter(Q(resets_at__lte=now) | Q(resets_at__gt=latest))


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
