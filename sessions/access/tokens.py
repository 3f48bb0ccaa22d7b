"""Bearer tokens of scripts. See docs/reference/errors.md."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db import DatabaseError
from django.db.models import Q
from django.utils import timezone

from sessions.access.digest import digest
from sessions.core import storage
from sessions.models import ApiToken

# Lets people and secret scanners recognise a token that they have found.
TOKEN_PREFIX: Final = "backstay_"  # noqa: S105 (a prefix, not a secret)
# A write per request would cost more than most requests do.
LAST_USED_EVERY: Final = timedelta(minutes=1)


def create_token(user: User, *, name: str = "") -> str:
    """Return a new bearer token of user. The database keeps its digest alone."""
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    ApiToken.objects.create(user=user, name=name[:100], digest=digest(token))
    return token


def user_of_token(token: str) -> User | None:
    """Return the active user of a bearer token, None for any other. At most two queries."""
    now = timezone.now()
    found = ApiToken.objects.select_related("user").filter(digest=digest(token)).first()
    if found is None or not found.user.is_active:
        return None
    # A time from the future is of a clock that was set back.
    if found.last_used_at is None or not now - LAST_USED_EVERY <= found.last_used_at <= now:
        _note_use(found, now)
    return found.user


def _note_use(token: ApiToken, now: datetime) -> None:
    """Record the use of a token; a database without room lets the user in all the same."""
    fresh = Q(last_used_at__gte=now - LAST_USED_EVERY, last_used_at__lte=now)
    try:
        ApiToken.objects.filter(pk=token.pk).exclude(fresh).update(last_used_at=now)
    except DatabaseError as exc:
        if not storage.is_full(exc):
            raise


def alive(digests: Iterable[str]) -> set[str]:
    """Return the digests whose tokens exist. One query."""
    rows = ApiToken.objects.filter(digest__in=set(digests))
    return set(rows.values_list("digest", flat=True))


def bearer_token(authorization: str) -> str | None:
    """Return the token of an Authorization header, None when it has another scheme.

    A proxy in front may ask for a password of its own: its Basic header is not for Backstay.
    """
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
