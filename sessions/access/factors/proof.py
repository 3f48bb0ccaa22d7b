"""The check of a second factor that a form brings: a code, a recovery code or a passkey."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.contrib.auth.models import User
from django.http import HttpRequest

from sessions.access import throttle
from sessions.access.acts import factor_acts
from sessions.access.factors import app_codes, passkeys, recovery
from sessions.access.factors.rows import Kind
from sessions.core import metrics

WRONG_CODE: Final = "This code is wrong or was used already."
WRONG_PASSKEY: Final = "The passkey was not accepted. Try once more."


@dataclass(frozen=True, slots=True)
class Refusal:
    """A proof that was not accepted: a sentence, and the seconds to wait."""

    sentence: str
    wait_s: int = 0


def check(request: HttpRequest, user: User) -> Refusal | None:
    """Return None when a form proves the second factor of user."""
    answer = request.POST.get("credential", "")
    if answer:
        return _passkey(request, user, answer)
    return _code(request, user, "".join(request.POST.get("code", "").split()))


def _passkey(request: HttpRequest, user: User, answer: str) -> Refusal | None:
    is_right = passkeys.accept(request, user, answer)
    return _judged(request, user, Kind.PASSKEY, None if is_right else Refusal(WRONG_PASSKEY))


def _code(request: HttpRequest, user: User, code: str) -> Refusal | None:
    kind = Kind.APP if code.isdigit() else Kind.RECOVERY
    return _judged(request, user, kind, _refusal_of_code(user, code))


def _judged(
    request: HttpRequest, user: User, kind: Kind, refused: Refusal | None
) -> Refusal | None:
    if refused is None:
        factor_acts.used(request, user, kind)
    else:
        metrics.LOG_INS.labels(result="wrong").inc()
        factor_acts.failed(request, user, kind)
    return refused


def _refusal_of_code(user: User, code: str) -> Refusal | None:
    wait_s = throttle.attempt_code(user.pk)
    if wait_s:
        minutes = -(-wait_s // 60)
        return Refusal(f"Too many attempts. Try again in {minutes} min, or by passkey.", wait_s)
    is_right = app_codes.accept(user, code) if code.isdigit() else recovery.accept(user, code)
    if not is_right:
        return Refusal(WRONG_CODE)
    throttle.forget_codes(user.pk)
    return None
