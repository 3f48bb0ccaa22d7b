"""The door: every request is charged to a user or an address before anything else is done for it.

Static files and probes are free: they cost little, and a load balancer must see the server while
strangers flood it.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

from django.conf import settings
from django.http import parse_cookie

from chatproject.base_path import local_path
from chatproject.headers import Application, Message, Receive, Send
from chatproject.middleware.site import PROBES
from sessions.access.client_address import address_of
from sessions.access.credentials import headers_of
from sessions.core import addresses, storage
from sessions.core.errors import ChatError, OutOfResources
from sessions.core.reserves.memory import spare_memory
from sessions.limits.visits import Visit
from transport import asgi
from transport.feed import app as feed
from transport.live import app as live

# They end something, and must get through beside a program that uses up its user's share.
WAYS_OUT: Final = frozenset(
    {"/api/chat/interrupt", "/api/chat/stop", "/api/chat/close", "/api/chat/permission", "/logout/"}
)
# How a server of ours gets to know that a connection belongs to a user.
BECOMES_KNOWN: Final = "backstay.becomes_known"


def with_door(application: Application) -> Application:
    """Return the ASGI application behind the door."""

    async def guarded(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _is_free(scope):
            await application(scope, receive, send)
            return
        visit = _visit(scope)
        try:
            try:
                _require_memory(visit)
                visit.enter()
            except ChatError as exc:
                await asgi.send_error(send, exc)
                return
            await application(scope, receive, send)
        finally:
            visit.leave()

    return guarded


def _require_memory(visit: Visit) -> None:
    if spare_memory.is_short and not visit.is_way_out:
        raise OutOfResources(retryAfter=storage.RETRY_AFTER_S)


def _is_free(scope: Message) -> bool:
    return scope["path"].startswith(settings.STATIC_URL) or local_path(scope) in PROBES


def _visit(scope: Message) -> Visit:
    headers = headers_of(scope)
    path = local_path(scope)
    peer = str((scope.get("client") or [""])[0])
    forwarded = headers.get("x-forwarded-for", "")
    return Visit(
        addresses.network(address_of(peer, forwarded)),
        _digest(headers),
        is_way_out=path in WAYS_OUT,
        is_stream=path == live.PATH or path.startswith(feed.PREFIX),
        becomes_known=scope.get(BECOMES_KNOWN),
    )


def _digest(headers: dict[str, str]) -> str:
    """Return the digest of a request's credential, "" without one."""
    credential: Any = headers.get("authorization") or parse_cookie(headers.get("cookie", "")).get(
        settings.SESSION_COOKIE_NAME
    )
    return hashlib.sha256(credential.encode(errors="replace")).hexdigest() if credential else ""
