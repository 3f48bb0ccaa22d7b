"""Who is asking: bearer tokens, login cookies, and the one-time link of the first start.

Only digests of secrets are stored. A token or link is 256 random bits, so a plain SHA-256 is
enough: there is nothing to guess from. See docs/reference/errors.md.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.http import HttpRequest, parse_cookie
from django.http.request import HttpHeaders
from django.urls import reverse
from django.utils import timezone
from ninja.utils import check_csrf

from sessions.access.login_store import SessionStore, alive, stored_key
from sessions.core.db import in_thread
from sessions.core.errors import CsrfFailed
from sessions.models import ApiToken, LoginLink

# Tells people and secret scanners what they have found.
TOKEN_PREFIX: Final = "backstay_"  # noqa: S105 (a prefix, not a secret)
# A write per request would cost more than most requests do.
LAST_USED_EVERY: Final = timedelta(minutes=1)
# Long enough to walk to another device, short enough for a link left in a scrollback.
LINK_LIFETIME: Final = timedelta(hours=1)
OWNER_NAME: Final = "owner"
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


# --- Bearer tokens ------------------------------------------------------------------------------


def create_token(user: User, *, name: str = "") -> str:
    """Return a new bearer token of user: the only time that anybody sees it."""
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    ApiToken.objects.create(user=user, name=name[:100], digest=_digest(token))
    return token


def user_of_token(token: str) -> User | None:
    """Return the active user of a bearer token, None for any other. At most two queries."""
    now = timezone.now()
    found = ApiToken.objects.select_related("user").filter(digest=_digest(token)).first()
    if found is None or not found.user.is_active:
        return None
    if found.last_used_at is None or found.last_used_at < now - LAST_USED_EVERY:
        stale = Q(last_used_at=None) | Q(last_used_at__lt=now - LAST_USED_EVERY)
        ApiToken.objects.filter(stale, pk=found.pk).update(last_used_at=now)
    return found.user


def bearer_token(authorization: str) -> str | None:
    """Return the token of an Authorization header; None when it is of another scheme.

    A proxy in front may ask for a password of its own: its Basic header is not for us.
    """
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


# --- Cookies ------------------------------------------------------------------------------------


def user_of_cookie(session_key: str) -> User | None:
    """Return the active user who is logged in under a session cookie, else None."""
    request = HttpRequest()
    request.session = SessionStore(session_key)
    # Also checks that the password is still the one that the log-in was made with.
    user = get_user(request)
    return user if isinstance(user, User) and user.is_active else None


def _identify(authorization: str, cookies: Mapping[str, str]) -> tuple[User | None, bool]:
    """Return (user, by cookie). A bearer token that is wrong is not saved by a cookie."""
    token = bearer_token(authorization)
    if token is not None:
        return user_of_token(token), False
    key = cookies.get(settings.SESSION_COOKIE_NAME)
    return (user_of_cookie(key) if key else None), True


# --- At the edges -------------------------------------------------------------------------------


async def authenticate(scope: Mapping[str, Any]) -> User | None:
    """Return the user of an ASGI scope by its token or cookie, None when there is none.

    For reading alone: nothing is checked against forged requests of other sites.
    """
    headers = _headers(scope.get("headers", ()))
    cookies = parse_cookie(headers.get("cookie", ""))
    user, _ = await in_thread(_identify, headers.get("authorization", ""), cookies)
    return user


# --- Streams, which outlive their request ---------------------------------------------------------


def credential_of(scope: Mapping[str, Any], user: User) -> str:
    """Return what a scope was let in by, as digests: `token:…` or `login:…`, and the password's."""
    headers = _headers(scope.get("headers", ()))
    token = bearer_token(headers.get("authorization", ""))
    if token is not None:
        return f"token:{_digest(token)}:{_password_mark(user)}"
    key = parse_cookie(headers.get("cookie", "")).get(settings.SESSION_COOKIE_NAME, "")
    return f"{login_prefix(key)}{_password_mark(user)}"


def login_prefix(session_key: str) -> str:
    """Return how every credential of one log-in begins."""
    return f"login:{stored_key(session_key)}:"


def revoked(credentials: Iterable[tuple[str, str]]) -> set[str]:
    """Return those of (credential, its user's password hash) that let nobody in any more.

    A token or log-in that is gone, a log-in that has expired, or a password that is another one
    now. At most two queries, however many there are.
    """
    given = [(c, c.split(":"), _digest(password)) for c, password in credentials]
    tokens = {key for _, (kind, key, _), _ in given if kind == "token"}
    log_ins = {key for _, (kind, key, _), _ in given if kind == "login"}
    rows = ApiToken.objects.filter(digest__in=tokens).values_list("digest", flat=True)
    good = {
        "token": set(rows) if tokens else set(),
        "login": alive(log_ins) if log_ins else set(),
    }
    return {
        credential
        for credential, (kind, key, mark), now in given
        if mark != now or key not in good[kind]
    }


def _headers(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in pairs:
        key, text = name.decode("latin1").lower(), value.decode("latin1")
        # HTTP/2 may send the cookies one by one.
        found[key] = f"{found[key]}; {text}" if key == "cookie" and key in found else text
    return found


async def signed_in(request: HttpRequest) -> User | None:
    """Return the request's user: the `auth` of every route of the API.

    A POST by cookie must carry X-CSRFToken, or it raises CsrfFailed; a token needs none, because
    a browser never adds it by itself.
    """
    user, by_cookie = await _user_of(request)
    if user and by_cookie and request.method not in SAFE_METHODS and check_csrf(request):
        raise CsrfFailed
    return user


async def signed_in_or_beacon(request: HttpRequest) -> User | None:
    """Return the request's user; a POST by cookie may come from navigator.sendBeacon.

    A beacon cannot carry X-CSRFToken. It does carry Origin, which another site cannot forge.
    """
    user, by_cookie = await _user_of(request)
    if user and by_cookie and not _is_same_origin(request) and check_csrf(request):
        raise CsrfFailed
    return user


async def _user_of(request: HttpRequest) -> tuple[User | None, bool]:
    authorization = request.headers.get("Authorization", "")
    return await in_thread(_identify, authorization, request.COOKIES)


def _is_same_origin(request: HttpRequest) -> bool:
    origin = request.headers.get("Origin", "")
    return origin in settings.CSRF_TRUSTED_ORIGINS or (
        urlsplit(origin).scheme in {"http", "https"}
        and urlsplit(origin).netloc == request.get_host()
    )


# --- The one-time link --------------------------------------------------------------------------


def one_time_link(user: User) -> str:
    """Return the path that logs user in once, within LINK_LIFETIME; an older link ends here."""
    secret = secrets.token_urlsafe(32)
    LoginLink.objects.update_or_create(
        user=user,
        defaults={
            "digest": _digest(secret),
            "password": _password_mark(user),
            "expires_at": timezone.now() + LINK_LIFETIME,
        },
    )
    return reverse("login-once", args=[secret])


def use_link(secret: str) -> User | None:
    """Return the user of a one-time link and end the link; None when it is not good any more.

    A link ends when it is used, replaced or expired, and with the account or its password. Of
    several uses at once one gets through: the one that deletes the row.
    """
    link = LoginLink.objects.select_related("user").filter(digest=_digest(secret)).first()
    if link is None or not LoginLink.objects.filter(pk=link.pk, digest=link.digest).delete()[0]:
        return None
    user = link.user
    good = link.expires_at > timezone.now() and user.is_active
    return user if good and secrets.compare_digest(link.password, _password_mark(user)) else None


def _password_mark(user: User) -> str:
    """Return a digest that changes with the password."""
    return _digest(user.password)


def ensure_owner() -> tuple[User, bool]:
    """Return (the owner, whether it was made just now).

    The owner is the oldest active superuser. A new one has no password: it logs in by a one-time
    link until `manage.py changepassword` or the admin gives it one. Several processes may do
    their first start at once: they agree on one owner.
    """
    try:
        return _find_or_make_owner()
    except IntegrityError:
        # Another process was faster, and its owner is found now.
        return _find_or_make_owner()


def _find_or_make_owner() -> tuple[User, bool]:
    users = User.objects
    with transaction.atomic():
        owner = users.filter(is_superuser=True, is_active=True).order_by("pk").first()
        if owner is not None:
            return owner, False
        taken = set(
            users.filter(username__startswith=OWNER_NAME).values_list("username", flat=True)
        )
        free = next(name for name in _owner_names() if name not in taken)
        owner = users.create(username=free, is_superuser=True, is_staff=True)
        owner.set_unusable_password()
        owner.save(update_fields=["password"])
    return owner, True


def _owner_names() -> Iterable[str]:
    yield OWNER_NAME
    number = 2
    while True:
        yield f"{OWNER_NAME}{number}"
        number += 1


# --- Where a request comes from -----------------------------------------------------------------

_FORWARDED: Final = (
    "Forwarded",
    "Via",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Real-IP",
)


def client_address(request: HttpRequest) -> str:
    """Return the address of the client, as far as the proxies of PROXY_COUNT can be believed."""
    hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",")]
    count = settings.PROXY_COUNT
    believed = hops[-count] if 0 < count <= len(hops) else ""
    return believed or str(request.META.get("REMOTE_ADDR", ""))


def is_direct_loopback(request: HttpRequest) -> bool:
    """Return whether a request comes from this machine itself, not through a proxy on it."""
    headers: HttpHeaders = request.headers
    forwarded = any(name in headers for name in _FORWARDED)
    return request.META.get("REMOTE_ADDR") in {"127.0.0.1", "::1"} and not forwarded
