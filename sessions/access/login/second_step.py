"""The second step of a log-in: the password was right, the second factor is still to come."""

from __future__ import annotations

import secrets
import time
from typing import Final

from django.contrib.auth.models import User
from django.http import HttpRequest

from sessions.access.digest import password_mark

LIFETIME_S: Final = 10 * 60
_PENDING: Final = "second_step"


def begin(request: HttpRequest, user: User) -> None:
    """Note that the password of user was right."""
    pending = {"user": user.pk, "password": password_mark(user), "at": time.time()}
    request.session[_PENDING] = pending


def user_of(request: HttpRequest) -> User | None:
    """Return the user whose second factor is to come, None when the first step is too old."""
    pending = request.session.get(_PENDING)
    if not pending or not 0 <= time.time() - pending["at"] <= LIFETIME_S:
        return None
    user = User.objects.filter(pk=pending["user"], is_active=True).first()
    if user is None or not secrets.compare_digest(pending["password"], password_mark(user)):
        return None
    return user


def end(request: HttpRequest) -> None:
    """Forget the first step."""
    request.session.pop(_PENDING, None)
