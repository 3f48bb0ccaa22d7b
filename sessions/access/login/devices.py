"""The log-ins of a user, one for each browser, and their ends."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest

from sessions.access import login_store
from sessions.access.client_address import client_address
from sessions.access.login import confirmation
from sessions.access.login_store import SessionStore, stored_key
from sessions.account_models import BrowserLogin


def note_log_in(request: HttpRequest, user: User, **_: Any) -> None:
    """Keep a row for a log-in that has just been made; rows of ended ones go."""
    confirmation.note(request)
    if not request.session.session_key:
        request.session.save()
    _forget_ended(user)
    add_row(request, user)


def add_row(request: HttpRequest, user: User) -> None:
    """Keep a row for the log-in of a request under its present key."""
    BrowserLogin.objects.update_or_create(
        key=stored_key(str(request.session.session_key)),
        defaults={
            "user": user,
            "user_agent": request.headers.get("User-Agent", "")[:300],
            "address": client_address(request)[:64],
        },
    )


def of(user: User) -> list[BrowserLogin]:
    """Return the log-ins of a user that are alive, the youngest first. Two queries."""
    found = list(BrowserLogin.objects.filter(user=user))
    alive = login_store.alive(row.key for row in found)
    return [row for row in found if row.key in alive]


def end(user: User, row_id: int) -> bool:
    """End one log-in of a user; return False when there is none."""
    row = BrowserLogin.objects.filter(user=user, pk=row_id).first()
    if row is None:
        return False
    _end([row])
    return True


def end_others(user: User, session_key: str | None) -> int:
    """End every log-in of a user but the one of session_key; return how many."""
    kept = stored_key(session_key or "")
    others = [row for row in of(user) if row.key != kept]
    _end(others)
    return len(others)


def _end(ended: list[BrowserLogin]) -> None:
    model = SessionStore.get_model_class()
    model.objects.filter(session_key__in=[row.key for row in ended]).delete()
    BrowserLogin.objects.filter(pk__in=[row.pk for row in ended]).delete()


def _forget_ended(user: User) -> None:
    found = list(BrowserLogin.objects.filter(user=user))
    alive = login_store.alive(row.key for row in found)
    ended = [row.pk for row in found if row.key not in alive]
    BrowserLogin.objects.filter(pk__in=ended).delete()
