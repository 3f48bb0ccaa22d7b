"""GRIP: the plain feed's readers are held by a proxy at the edge (Pushpin) instead of by us.

A reader's request comes to us through the proxy; our answer tells it what to send first, which
channel to hold the reader on, and where to ask for what it has missed: the next link. Commits are
published to its control port, each with the id before it, so that it notices a hole by itself.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.core import signing
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django_eventstream.utils import sse_encode_error

from sessions import log as event_log
from sessions.auth import credential_of, revoked, signed_in
from sessions.conf import chat
from sessions.db import in_thread
from sessions.errors import Unauthenticated, UnknownSession
from sessions.protocol import LoggedEvent
from transport.eventstream import SessionChannels, as_library_event

log = logging.getLogger(__name__)

# A next link that is older is of a reader whom the proxy has not asked for in a long time.
LINK_LIFETIME_S: Final = 3600
_SALT: Final = "transport.grip.reader"


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads through the proxy, and what they were let in by (sessions.auth.credential_of)."""

    user: User
    credential: str


# --- Commits --------------------------------------------------------------------------------------


def connect_grip() -> None:
    """Publish every commit of this process, where a GRIP proxy is configured."""
    if settings.GRIP_URL:
        event_log.committed.connect(publish_to_grip, dispatch_uid="publish to grip")


def publish_to_grip(*, session_id: UUID, events: list[LoggedEvent], **_: object) -> None:
    """Hand committed events to the proxy. What it misses it asks for by the ids."""
    from django_eventstream.utils import publish_event  # noqa: PLC0415 (reads settings)

    for event in events:
        made = as_library_event(event)
        here, before = str(event.seq), str(event.seq - 1)
        try:
            publish_event(str(session_id), made.type, made.data, here, before, blocking=False)
        except Exception:
            log.exception("could not publish to GRIP", extra={"session": str(session_id)})


# --- Readers --------------------------------------------------------------------------------------


async def grip_feed(request: HttpRequest, session_id: UUID) -> HttpResponseBase:
    """Tell the proxy what to hold for one reader of the feed, and what to send first."""
    is_proxied = getattr(getattr(request, "grip", None), "proxied", False)
    if is_proxied and request.GET.get("link") == "next":
        return await in_thread(_go_on, request, session_id)
    user = await signed_in(request)
    if user is None:
        return JsonResponse(Unauthenticated().body(), status=Unauthenticated.status)
    channels = SessionChannels()
    if not is_proxied or not await in_thread(channels.can_read_channel, user, str(session_id)):
        return JsonResponse(UnknownSession().body(), status=UnknownSession.status)
    reader = Reader(user, credential_of(request.scope, user))  # type: ignore[attr-defined]  # served over ASGI
    return await in_thread(_hold, request, session_id, reader)


def _go_on(request: HttpRequest, session_id: UUID) -> HttpResponseBase:
    """Answer the proxy's own request, which carries nothing of the reader but the link."""
    reader = _reader_of_link(request.GET.get("reader", ""), session_id)
    if reader is None or not SessionChannels().can_read_channel(reader.user, str(session_id)):
        # Nothing to hold: the proxy sends this and ends the reader's response.
        error = sse_encode_error("forbidden", "You may not read this session.")
        return HttpResponse(error, content_type="text/event-stream")
    return _hold(request, session_id, reader)


def _hold(request: HttpRequest, session_id: UUID, reader: Reader) -> HttpResponseBase:
    from django_eventstream.views import events  # noqa: PLC0415 (reads settings)

    # The library builds the next link from these. Its own word for the reader knows no credential.
    query = request.GET.copy()
    query.pop("es-meta", None)
    query["reader"] = _signed(reader, session_id)
    request.GET = query  # type: ignore[assignment]  # a copy that may be changed
    request.user = reader.user
    response: HttpResponseBase = events(request, session_id=session_id)
    instruct = request.grip.instruct  # type: ignore[attr-defined]  # set by its middleware
    if instruct is not None:
        # The proxy asks again by then: for what it missed unnoticed, and whether it may be read.
        instruct.next_link_timeout = max(1, round(chat.LEASE_S / 3))
    return response


def _signed(reader: Reader, session_id: UUID) -> str:
    value = [str(session_id), reader.user.pk, reader.credential]
    return signing.dumps(value, salt=_SALT)


def _reader_of_link(signed: str, session_id: UUID) -> Reader | None:
    """Return whom a next link was made for, while their credential lets them in."""
    try:
        session, user_id, credential = signing.loads(signed, salt=_SALT, max_age=LINK_LIFETIME_S)
    except signing.BadSignature:
        return None
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is None or session != str(session_id) or revoked([(credential, user.password)]):
        return None
    return Reader(user, credential)
