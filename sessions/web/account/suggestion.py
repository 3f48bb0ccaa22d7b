"""The suggestion of the chat page to set a password, for accounts that links alone log in."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from sessions.access.factors import rows

KEPT_S: Final = 365 * 24 * 3600


def cookie_to_put_away(request: Any) -> str:
    """Return the cookie by which the page puts the suggestion away; "" where it makes none.

    It is made until the account has a password or a passkey, or was told "Not now" here.
    """
    user = request.user
    if user.has_usable_password() or _name(user) in request.COOKIES:
        return ""
    if rows.of(user, rows.Kind.PASSKEY).exists():
        return ""
    secure = "; Secure" if settings.CSRF_COOKIE_SECURE else ""
    path = settings.CSRF_COOKIE_PATH
    return f"{_name(user)}=1; Max-Age={KEPT_S}; Path={path}; SameSite=Lax{secure}"


def keep_away(request: HttpRequest, response: HttpResponse) -> None:
    """Set the cookie of a suggestion that was put away once more, for another year.

    Some browsers keep the cookies of scripts for a week alone.
    """
    name = _name(request.user)
    if name in request.COOKIES:
        response.set_cookie(
            name,
            "1",
            max_age=KEPT_S,
            path=settings.CSRF_COOKIE_PATH,
            samesite="Lax",
            secure=settings.CSRF_COOKIE_SECURE,
        )


def _name(user: Any) -> str:
    """Return the name of the cookie: the answer of one account is not that of another."""
    return f"{settings.NOT_NOW_COOKIE_NAME}_{user.pk}"
