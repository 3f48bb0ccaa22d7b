"""Bearer tokens of scripts. See docs/reference/errors.md."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db import DatabaseError
from django.db.models import Q
from django.utils import timezone

from sessions.access.digest import digest
from sessions.account_models import ApiToken
from sessions.core import storage
from sessions.core.conf import chat
from sessions.core.errors import InvalidRequest
from sessions.core.source import Source
from sessions.trail.record import TERMINAL, Act, record

# Lets people and secret scanners recognise a token that they have found.
TOKEN_PREFIX: Final = "backstay_"  # noqa: S105 (a prefix, not a secret)
MAX_NAME_CHARS: Final = 100
MAX_DAYS: Final = 3_650
# A write per request would cost more than most requests do.
LAST_USED_EVERY: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A token to make. days: until its end; None: TOKEN_DAYS, 0: without an end."""

    name: str = ""
    scope: str = ApiToken.Scope.CHAT
    days: int | None = None
    outlives_password: bool = False


def create_token(
    user: User,
    *,
    name: str = "",
    wanted: Wanted | None = None,
    by: str = "",
    source: Source = TERMINAL,
) -> str:
    """Return a new bearer token of user. The database keeps its digest alone.

    Raises InvalidRequest for a scope or an end that cannot be had.
    """
    wanted = wanted or Wanted(name=name)
    if wanted.scope not in ApiToken.Scope.values:
        raise InvalidRequest(f"There is no scope {wanted.scope!r}.", field="scope")
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    row = ApiToken.objects.create(
        user=user,
        name=wanted.name[:MAX_NAME_CHARS],
        digest=digest(token),
        scope=wanted.scope,
        expires_at=_end(wanted.days),
        outlives_password=wanted.outlives_password,
    )
    facts = {"scope": row.scope, "ends": row.expires_at.isoformat() if row.expires_at else "never"}
    record(Act.TOKEN_MADE, who=by, about=about(row), source=source, **facts)
    return token


def _end(days: int | None) -> datetime | None:
    """Return the end of a token that is made now. Raises InvalidRequest."""
    most = chat.TOKEN_MAX_DAYS
    if days is None:
        days = min(chat.TOKEN_DAYS or most, most) if most else chat.TOKEN_DAYS
    if days < 0 or days > MAX_DAYS or (most and not 0 < days <= most):
        raise InvalidRequest(f"A token ends after 1 to {most or MAX_DAYS} days.", field="days")
    return timezone.now() + timedelta(days=days) if days else None


def end_with_password(user: User) -> None:
    """End the tokens of an account whose password was changed, but those kept by choice."""
    revoke(ApiToken.objects.filter(user=user, outlives_password=False))


def revoke(rows: Iterable[ApiToken], *, by: str = "", source: Source = TERMINAL) -> None:
    """End tokens."""
    for row in rows:
        said = about(row)
        row.delete()
        record(Act.TOKEN_REVOKED, who=by, about=said, source=source)


def about(row: ApiToken) -> str:
    """Return a token in words for the audit trail."""
    return f"token:{row.pk} {row.name} of {row.user.get_username()}"


def find(token: str, *, address: str = "") -> ApiToken | None:
    """Return a bearer token that is valid, None for any other.

    address: that of the client, for the record of the first use. Two queries after that at most.
    """
    now = timezone.now()
    found = ApiToken.objects.select_related("user").filter(digest=digest(token)).first()
    if found is None or not found.user.is_active or not _is_in_time(found, now):
        return None
    # A time from the future is of a clock that was set back.
    if found.last_used_at is None or not now - LAST_USED_EVERY <= found.last_used_at <= now:
        _note_use(found, now, address)
    return found


def user_of_token(token: str) -> User | None:
    """Return the active user of a bearer token, None for any other. At most two queries."""
    found = find(token)
    return found.user if found is not None else None


def _note_use(token: ApiToken, now: datetime, address: str) -> None:
    """Record the use of a token; a database without room lets the user in all the same."""
    if token.last_used_at is None:
        source = Source(f"token:{token.pk}", token.name, address=address)
        record(Act.TOKEN_USED, who=token.user.get_username(), source=source)
    fresh = Q(last_used_at__gte=now - LAST_USED_EVERY, last_used_at__lte=now)
    try:
        ApiToken.objects.filter(pk=token.pk).exclude(fresh).update(last_used_at=now)
    except (DatabaseError, MemoryError) as exc:
        if storage.refusal(exc) is None:
            raise


def _is_in_time(token: ApiToken, now: datetime) -> bool:
    return token.expires_at is None or now < token.expires_at


def alive(digests: Iterable[str]) -> set[str]:
    """Return the digests whose tokens exist and have not ended. One query."""
    in_time = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    rows = ApiToken.objects.filter(in_time, digest__in=set(digests))
    return set(rows.values_list("digest", flat=True))


def bearer_token(authorization: str) -> str | None:
    """Return the token of an Authorization header, None when it has another scheme.

    A proxy in front may ask for a password of its own: its Basic header is not for Backstay.
    """
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
