"""Second factors that were added, removed, used or not accepted, for the audit trail."""

from __future__ import annotations

from typing import Final

from django.contrib.auth.models import User
from django.http import HttpRequest

from sessions.access.acts.log_ins import source_of
from sessions.access.factors.rows import Kind
from sessions.limits.buckets import TokenBuckets
from sessions.trail.record import Act, record

# Of one account in a minute: a program with its password writes no row for each wrong answer.
FAILURES_PER_MINUTE: Final = 5
_failures: Final = TokenBuckets(lambda: FAILURES_PER_MINUTE)


def added(request: HttpRequest, user: User, kind: Kind, name: str = "") -> None:
    """Record a new app or passkey."""
    _record(Act.FACTOR_ADDED, request, user, kind, name)


def removed(request: HttpRequest, user: User, kind: str, name: str = "") -> None:
    """Record the removal of an app or a passkey."""
    _record(Act.FACTOR_REMOVED, request, user, kind, name)


def codes_made(request: HttpRequest, user: User) -> None:
    """Record new recovery codes, with which the older ones have ended."""
    _record(Act.RECOVERY_CODES_MADE, request, user)


def used(request: HttpRequest, user: User, kind: Kind) -> None:
    """Record a proof: at a log-in, or before a sensitive act."""
    if kind == Kind.RECOVERY:
        _record(Act.RECOVERY_CODE_USED, request, user)
    else:
        _record(Act.FACTOR_USED, request, user, kind)


def failed(request: HttpRequest, user: User, kind: str) -> None:
    """Record an answer that was not accepted; a few in a minute stand for all."""
    if not _failures.take(user.pk):
        _record(Act.FACTOR_FAILED, request, user, kind)


def _record(act: Act, request: HttpRequest, user: User, kind: str = "", name: str = "") -> None:
    facts = {key: str(value) for key, value in {"kind": kind, "name": name}.items() if value}
    record(act, who=user.get_username(), source=source_of(request), **facts)
