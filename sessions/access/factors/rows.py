"""The rows of second factors. The counter of a row only rises, and a use is the rise."""

from __future__ import annotations

from typing import Final

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.utils import timezone

from sessions.account_models import SecondFactor

Kind = SecondFactor.Kind
# Recovery codes stand in for one of these, and are none alone.
FACTORS: Final = (Kind.APP, Kind.PASSKEY)


def of(user: User, kind: Kind) -> QuerySet[SecondFactor]:
    """Return the rows of a kind, the oldest first."""
    return SecondFactor.objects.filter(user=user, kind=kind)


def has_factor(user: User) -> bool:
    """Return whether the account has a second factor. One query."""
    return SecondFactor.objects.filter(user=user, kind__in=FACTORS).exists()


def use(row: SecondFactor, counter: int, *, latest: int | None = None) -> bool:
    """Raise the counter of a row; return False when it was there already.

    Of several uses at once the one that raises it succeeds. latest: the highest counter that a
    clock can have reached by now. A higher one is of a clock that was set back, and holds nothing.
    """
    is_lower = Q(counter__lt=counter)
    if latest is not None:
        is_lower |= Q(counter__gt=latest)
    rising = SecondFactor.objects.filter(is_lower, pk=row.pk)
    return bool(rising.update(counter=counter, last_used_at=timezone.now()))


def remove(user: User, row_id: int) -> SecondFactor | None:
    """Remove an app or a passkey and return it; with the last one the recovery codes go, too."""
    found = SecondFactor.objects.filter(user=user, pk=row_id, kind__in=FACTORS)
    row = found.first()
    gone, _ = found.delete()
    if not has_factor(user):
        of(user, Kind.RECOVERY).delete()
    return row if gone else None
