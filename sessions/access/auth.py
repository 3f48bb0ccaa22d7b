"""The user of a request, by bearer token or log-in cookie. See docs/reference/errors.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.http import HttpRequest, parse_cookie

from sessions.access import csrf
from sessions.access.credentials import headers_of
from sessions.access.login_store import SessionStore
from sessions.access.origin import is_same_origin
from sessions.access.tokens import bearer_token, user_of_token
from sessions.core.db import in_thread

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def user_of_cookie(session_key: str) -> User | None:
    """Return the active user of a session cookie's log-in, else None."""
    request = HttpRequest()
    request.session = SessionStore(session_key)
    # Also checks that the password is still the one that the log-in was made with.
    user = get_user(request)
    return user if isinstance(user, User) and user.is_active else None


def _identify(authorization: str, cookies: Mapping[str, str]) -> tuple[User | None, bool]:
    """Return (user, by cookie). A good cookie does not make up for a wrong bearer token."""
    token = bearer_token(authorization)
    if token is not None:
        return user_of_token(token), False
    key = cookies.get(settings.SESSION_COOKIE_NAME)
    return (user_of_cookie(key) if key else None), True


async def authenticate(scope: Mapping[str, Any]) -> User | None:
    """Return the user of an ASGI scope by its token or cookie, None when there is none.

    For reading alone: nothing is checked against forged requests of other sites.
    """
    headers = headers_of(scope)
    cookies = parse_cookie(headers.get("cookie", ""))
    user, _ = await in_thread(_identify, headers.get("authorization", ""), cookies)
    return user


async def signed_in(request: HttpRequest) -> User | None:
    """Return the request's user: the `auth` of every route of the API.

    A POST by cookie must carry X-CSRFToken, or it raises CsrfFailed. A token needs none, because
    a browser never adds it by itself.
    """
    user, by_cookie = await _user_of(request)
    if user and by_cookie and request.method not in SAFE_METHODS:
        csrf.check(request)
    return user


async def signed_in_or_beacon(request: HttpRequest) -> User | None:
    """Return the request's user; a POST by cookie may come from navigator.sendBeacon.

    A beacon cannot carry X-CSRFToken. It does carry Origin, which another site cannot forge.
    """
    user, by_cookie = await _user_of(request)
    if user and by_cookie and not is_same_origin(request):
        csrf.check(request)
    return user


async def _user_of(request: HttpRequest) -> tuple[User | None, bool]:
    authorization = request.headers.get("Authorization", "")
    return await in_thread(_identify, authorization, request.COOKIES)
