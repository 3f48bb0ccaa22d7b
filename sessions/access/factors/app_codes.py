"""Codes of an authenticator app (TOTP, RFC 6238): each is good for one use."""

from __future__ import annotations

import secrets
import time
from typing import Final

import pyotp
from django.contrib.auth.models import User

from sessions.access.factors import cipher, rows
from sessions.access.factors.rows import Kind
from sessions.account_models import SecondFactor

STEP_S: Final = 30
# Steps before and after the present one: clocks differ, and typing takes time.
_SLACK: Final = (-1, 0, 1)
# Steps that the clocks of two machines may differ by. A later step is of a clock that was set back.
_CLOCK_SLACK: Final = 5
_ISSUER: Final = "Backstay"


def new_secret() -> str:
    """Return a secret of 160 bits, in base 32."""
    return pyotp.random_base32()


def address(user: User, secret: str, host: str) -> str:
    """Return the otpauth address that an app reads from a QR code."""
    totp = pyotp.TOTP(secret)
    return totp.provisioning_uri(name=f"{user.get_username()} at {host}", issuer_name=_ISSUER)


def enable(user: User, secret: str, code: str) -> bool:
    """Make the app of a secret the account's; return False when the code is not of it."""
    step = _step_of(secret, code)
    if step is None:
        return False
    SecondFactor.objects.update_or_create(
        key=f"app:{user.pk}",
        defaults={
            "user": user,
            "kind": Kind.APP,
            "data": cipher.seal(secret),
            # The code that proves the app works is used now.
            "counter": step,
        },
    )
    return True


def accept(user: User, code: str) -> bool:
    """Return whether the app shows that code now. Neither it nor an older one is taken again."""
    row = rows.of(user, Kind.APP).first()
    secret = cipher.unseal(row.data) if row else None
    step = _step_of(secret, code) if secret else None
    latest = _now() + _CLOCK_SLACK
    return row is not None and step is not None and rows.use(row, step, latest=latest)


def _now() -> int:
    return int(time.time()) // STEP_S


def _step_of(secret: str, code: str) -> int | None:
    """Return the time step of a code, None for one that is not near."""
    totp = pyotp.TOTP(secret)
    steps = [_now() + slack for slack in _SLACK]
    given = code.encode(errors="replace")
    fitting = [s for s in steps if secrets.compare_digest(totp.generate_otp(s).encode(), given)]
    return fitting[-1] if fitting else None
