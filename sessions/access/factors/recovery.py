"""Recovery codes: ten, each good for one log-in when the app or the passkey is lost."""

from __future__ import annotations

import secrets
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction

from sessions.access.factors import cipher, rows
from sessions.access.factors.rows import Kind
from sessions.account_models import SecondFactor

COUNT: Final = 10
# Without letters and digits that look alike. 10 of 31: 49 bits.
_LETTERS: Final = "abcdefghjkmnpqrstuvwxyz23456789"
_HALF: Final = 5


def renew(user: User) -> list[str]:
    """Return new codes, which end the older ones. They cannot be shown again."""
    codes = [_new_code() for _ in range(COUNT)]
    with transaction.atomic():
        rows.of(user, Kind.RECOVERY).delete()
        SecondFactor.objects.bulk_create(
            SecondFactor(user=user, kind=Kind.RECOVERY, key=_key(user, code)) for code in codes
        )
    return codes


def accept(user: User, code: str) -> bool:
    """Use up a code; return False for one that is wrong or was used."""
    row = rows.of(user, Kind.RECOVERY).filter(key=_key(user, code)).first()
    return row is not None and rows.use(row, 1)


def left(user: User) -> int:
    """Return how many codes are unused."""
    return rows.of(user, Kind.RECOVERY).filter(counter=0).count()


def _new_code() -> str:
    halves = ("".join(secrets.choice(_LETTERS) for _ in range(_HALF)) for _ in range(2))
    return "-".join(halves)


def _key(user: User, code: str) -> str:
    letters = "".join(letter for letter in code.lower() if letter in _LETTERS)
    return cipher.digest(f"recovery:{user.pk}:{letters}")
