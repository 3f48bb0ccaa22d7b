"""Credentials of open streams: digests of the token or log-in, checked for as long as they read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.http import parse_cookie

from sessions.access import login_store, tokens
from sessions.access.digest import digest, password_mark


def headers_of(scope: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers of an ASGI scope by their names in lower case."""
    found: dict[str, str] = {}
    for name, value in scope.get("headers", ()):
        key, text = name.decode("latin1").lower(), value.decode("latin1")
        # HTTP/2 may send the cookies one by one.
        found[key] = f"{found[key]}; {text}" if key == "cookie" and key in found else text
    return found


def credential_of(scope: Mapping[str, Any], user: User) -> str:
    """Return a scope's credential: `token:…` or `login:…` with the password's digest behind it."""
    headers = headers_of(scope)
    token = tokens.bearer_token(headers.get("authorization", ""))
    if token is not None:
        return f"token:{digest(token)}:{password_mark(user)}"
    key = parse_cookie(headers.get("cookie", "")).get(settings.SESSION_COOKIE_NAME, "")
    return f"{login_prefix(key)}{password_mark(user)}"


def login_prefix(session_key: str) -> str:
    """Return the common beginning of all credentials of one log-in."""
    return f"login:{login_store.stored_key(session_key)}:"


def revoked(credentials: Iterable[tuple[str, str]]) -> set[str]:
    """Return the credentials that have been revoked. At most two queries.

    credentials: pairs of a credential and its user's password hash. A credential ends with its
    token or log-in, with the log-in's time, and with the password that it was made under.
    """
    given = [(c, c.split(":"), digest(password)) for c, password in credentials]
    token_digests = {key for _, (kind, key, _), _ in given if kind == "token"}
    login_keys = {key for _, (kind, key, _), _ in given if kind == "login"}
    good = {
        "token": tokens.alive(token_digests) if token_digests else set(),
        "login": login_store.alive(login_keys) if login_keys else set(),
    }
    return {
        credential
        for credential, (kind, key, mark), now in given
        if mark != now or key not in good[kind]
    }
