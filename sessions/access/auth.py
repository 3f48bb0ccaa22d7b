"""The user of a request, by bearer token or log-in cookie. See docs/reference/errors.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, Final

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.http import HttpRequest, parse_cookie

from sessions.access import csrf, login_store, tokens
from sessions.access.client_address import client_address
from sessions.access.credentials import headers_of
from sessions.access.factors import policy
from sessions.access.login import confirmation, origin_key
from sessions.access.login_store import SessionStore
from sessions.access.origin import is_same_origin, refuse_neighbours
from sessions.access.tokens import bearer_token
from sessions.account_models import ApiToken
from sessions.core.db import in_thread
from sessions.core.errors import ChatError, OriginKeyMissing, ScopeMissing, SecondFactorRequired
from sessions.core.source import Source
from sessions.core.tasks import Together, TogetherByKey
from sessions.limits import visits

SCOPES: Final = tuple(ApiToken.Scope.values)
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def user_of_cookie(session_key: str, origin_keys: str | None) -> User | None:
    """Return the active user of a session cookie's log-in, else None.

    origin_keys: of the request; None where a log-in counts without one. Raises OriginKeyMissing,
    and SecondFactorRequired for a log-in without the factor that it must have.
    """
    request = HttpRequest()
    request.session = SessionStore(session_key)
    # Also checks that the password is still the one that the log-in was made with.
    user = get_user(request)
    if not isinstance(user, User) or not user.is_active:
        return None
    if origin_keys is not None and not origin_key.is_held(request.session, origin_keys):
        raise OriginKeyMissing
    if not policy.is_met(user, request.session):
        raise SecondFactorRequired
    return user


@dataclass(frozen=True, slots=True)
class _Asker:
    """The user of a request, None without one. credential, name: as of a Source."""

    user: User | None
    by_cookie: bool
    credential: str = ""
    name: str = ""
    # A person with a browser may do everything that a token may.
    scope: str = ApiToken.Scope.ADMIN

    def require(self, scope: str) -> None:
        """Raise ScopeMissing for a token whose scope does not include another."""
        if self.user and SCOPES.index(self.scope) < SCOPES.index(scope):
            raise ScopeMissing(f"This token has the scope {self.scope}, this needs {scope}.")


def _identify(
    headers: Mapping[str, str],
    cookies: Mapping[str, str],
    *,
    address: str = "",
    needs_key: bool = True,
) -> _Asker:
    """Return the asker. A good cookie does not make up for a wrong bearer token."""
    secret = bearer_token(headers.get("authorization", ""))
    if secret is None:
        key = cookies.get(settings.SESSION_COOKIE_NAME)
        if key:
            refuse_neighbours(headers.get("sec-fetch-site", ""))
        keys = headers.get(origin_key.HEADER.lower(), "") if needs_key else None
        user = user_of_cookie(key, keys) if key else None
        return _Asker(user, by_cookie=True, credential=login_store.public_id(key) if key else "")
    token = tokens.find(secret, address=address)
    if token is None:
        return _Asker(None, by_cookie=False)
    credential = f"token:{token.pk}"
    return _Asker(token.user, False, credential, token.name, token.scope)  # noqa: FBT003 (a token)


_Credentials = tuple[Mapping[str, str], Mapping[str, str]]
# So many are looked up in one go of a thread.
IDENTIFIED_TOGETHER: Final = 64


def identify_all(asked: Sequence[_Credentials]) -> list[_Asker | Exception]:
    """Return the asker of each pair of headers and cookies; equal credentials are read once."""
    outcomes: dict[tuple[str | None, ...], _Asker | Exception] = {}
    for headers, cookies in asked:
        key = _credential_key(headers, cookies)
        if key not in outcomes:
            try:
                outcomes[key] = _identify(headers, cookies)
            except ChatError as exc:
                outcomes[key] = exc
    return [outcomes[_credential_key(*each)] for each in asked]


def _credential_key(
    headers: Mapping[str, str], cookies: Mapping[str, str]
) -> tuple[str | None, ...]:
    """Return all that `_identify` reads of a request."""
    names = ("authorization", "sec-fetch-site", origin_key.HEADER.lower())
    return (cookies.get(settings.SESSION_COOKIE_NAME), *map(headers.get, names))


async def _identify_all(asked: Sequence[_Credentials]) -> list[_Asker | Exception]:
    return await in_thread(identify_all, asked)


# Streams that open at the same moment, as after a restart, are often of few people.
_identities: Final = Together(_identify_all, most=IDENTIFIED_TOGETHER)


@dataclass(frozen=True, slots=True)
class _Shown:
    """All that `_identify` reads of a request to the API."""

    headers: Mapping[str, str]
    cookies: Mapping[str, str]
    address: str
    needs_key: bool

    def key(self) -> tuple[object, ...]:
        """Return the same for requests that have the same asker."""
        return (*_credential_key(self.headers, self.cookies), self.address, self.needs_key)


async def _identify_equal(shown: Sequence[_Shown]) -> list[_Asker | Exception]:
    """Return the asker of equal requests, read once. Each has a user of its own to change."""
    first = shown[0]
    asker = await in_thread(
        _identify,
        first.headers,
        first.cookies,
        address=first.address,
        needs_key=first.needs_key,
    )
    return [asker, *(replace(asker, user=copy(asker.user)) for _ in shown[1:])]


# Not with those of others, as streams do: a request that stops an agent waits for no stranger.
_askers: Final = TogetherByKey[tuple[object, ...], _Shown, _Asker](
    _identify_equal, most=IDENTIFIED_TOGETHER
)


async def authenticate(scope: Mapping[str, Any]) -> User | None:
    """Return the user of an ASGI scope by its token or cookie, None when there is none.

    For reading alone: no CSRF token is asked for. Raises as of `user_of_cookie`, OriginRefused
    and TooManyRequests.
    """
    headers = headers_of(scope)
    asker = await _identities.ask((headers, parse_cookie(headers.get("cookie", ""))))
    if asker.user is not None:
        visits.admit(asker.user.pk)
    return asker.user


async def signed_in(request: HttpRequest, *, needs_key: bool = True) -> User | None:
    """Return the request's user: the `auth` of every route of the API that names no other.

    A POST by cookie must carry X-CSRFToken, or it raises CsrfFailed. A token needs none, because
    a browser never adds it by itself. A token must have the scope `chat` for a POST, or it raises
    ScopeMissing. needs_key: a log-in cookie counts with its origin key alone.
    """
    is_reading = request.method in SAFE_METHODS
    scope = ApiToken.Scope.READ if is_reading else ApiToken.Scope.CHAT
    return await _signed_in(request, scope, needs_key=needs_key)


async def signed_in_to_read(request: HttpRequest) -> User | None:
    """Return the request's user for a command that changes no session: its stream alone."""
    return await _signed_in(request, ApiToken.Scope.READ)


async def _signed_in(request: HttpRequest, scope: str, *, needs_key: bool = True) -> User | None:
    asker = await _asker_of(request, needs_key=needs_key)
    asker.require(scope)
    if asker.user and asker.by_cookie and request.method not in SAFE_METHODS:
        csrf.check(request)
    return asker.user


async def token_of_admin(request: HttpRequest) -> User | None:
    """Return the user of a token with the scope `admin`.

    A browser has the account page, which asks for the password again.
    """
    asker = await _asker_of(request, needs_key=True)
    if asker.by_cookie:
        return None
    asker.require(ApiToken.Scope.ADMIN)
    return asker.user


def require_confirmed(request: Any) -> None:
    """Refuse a sensitive act by a browser without a recent proof, or by a token without `admin`.

    For a route of `signed_in`. Raises ConfirmationRequired, ScopeMissing.
    """
    asker: _Asker = request.asker
    if asker.by_cookie:
        confirmation.require(request)
    else:
        asker.require(ApiToken.Scope.ADMIN)


async def signed_in_or_beacon(request: HttpRequest) -> User | None:
    """Return the request's user; a POST by cookie may come from navigator.sendBeacon.

    A beacon cannot carry X-CSRFToken or an origin key. It does carry Origin, which another site
    cannot forge, and the id of a stream, which only its reader knows.
    """
    asker = await _asker_of(request, needs_key=False)
    if asker.user and asker.by_cookie and not is_same_origin(request):
        csrf.check(request)
    return asker.user


async def _asker_of(request: HttpRequest, *, needs_key: bool) -> _Asker:
    """Return the asker of a request, which remembers its source from here on."""
    address = client_address(request)
    headers = {name.lower(): value for name, value in request.headers.items()}
    shown = _Shown(headers, request.COOKIES, address, needs_key)
    asker = await _askers.ask(shown.key(), shown)
    request.asker = asker  # type: ignore[attr-defined]  # ours: require_confirmed reads it
    request.source = Source(  # type: ignore[attr-defined]  # ours: the routes read it
        credential=asker.credential, name=asker.name, address=address
    )
    if asker.user is not None:
        visits.admit(asker.user.pk)
    return asker
