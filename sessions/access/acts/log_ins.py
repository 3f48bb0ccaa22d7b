"""Log-ins and log-outs, as Django's signals tell of them."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import signals
from django.contrib.auth.models import User
from django.http import HttpRequest

from sessions.access import login_store
from sessions.access.client_address import client_address
from sessions.core.source import Source
from sessions.trail.failures import failures
from sessions.trail.record import NOWHERE, Act, record

# Of a browser's name for itself, which tells one device from another.
MAX_AGENT_CHARS = 200


def connect() -> None:
    """Listen for log-ins, failed ones, and log-outs."""
    signals.user_logged_in.connect(_logged_in, dispatch_uid="trail")
    signals.user_login_failed.connect(_failed, dispatch_uid="trail")
    signals.user_logged_out.connect(_logged_out, dispatch_uid="trail")


def source_of(request: HttpRequest | None) -> Source:
    """Return the source of a request by cookie."""
    if request is None:
        return NOWHERE
    key = request.session.session_key
    return Source(
        credential=login_store.public_id(key) if key else "", address=client_address(request)
    )


def _logged_in(*, request: HttpRequest | None, user: User, **_: Any) -> None:
    device = request.headers.get("User-Agent", "")[:MAX_AGENT_CHARS] if request else ""
    facts = {"device": device} if device else {}
    record(Act.LOG_IN, who=user.get_username(), source=source_of(request), **facts)


def _failed(*, request: HttpRequest | None = None, **_: Any) -> None:
    failures.note(client_address(request) if request else "")


def _logged_out(*, request: HttpRequest | None, user: User | None, **_: Any) -> None:
    if user is not None:
        record(Act.LOG_OUT, who=user.get_username(), source=source_of(request))
