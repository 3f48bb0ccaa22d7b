"""GRIP: the plain feed's readers are held by a proxy at the edge (Pushpin) instead of by us.

A reader's request comes to us through the proxy; our answer has the first events, the
channel to hold the reader on, and where to ask for missed events: the next link. Commits are
published to its control port, each with the id before it, so that it notices a hole by itself.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.core import signing
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django_eventstream.utils import sse_error_response

from sessions.access.auth import signed_in
from sessions.access.credentials import credential_of
from sessions.core.conf import chat
from sessions.core.db import in_thread
from sessions.core.errors import ChatError, Unauthenticated, UnknownSession
from sessions.eventlog import store
from sessions.eventlog.events import LoggedEvent
from transport.feed.eventstream import FORBIDDEN, as_library_event
from transport.rows.rights import Right, lapsed

logger = logging.getLogger(__name__)

# The reader's log-in, signed, in the address that the proxy asks again.
_RIGHT: Final = "right"
# A next link that is older is of a reader whom the proxy has not asked for in a long time.
_GOOD_FOR_S: Final = 3600


class ProxiedRequest(HttpRequest):
    """A request as ASGI and the GRIP middleware make it."""

    scope: Mapping[str, Any]
    grip: Any


# --- Commits --------------------------------------------------------------------------------------


def connect_grip() -> None:
    """Publish every commit of this process, where a GRIP proxy is configured."""
    if settings.GRIP_URL:
        store.committed.connect(publish_to_grip, dispatch_uid="publish to grip")


def publish_to_grip(*, session_id: UUID, events: list[LoggedEvent], **_: object) -> None:
    """Hand committed events to the proxy. It asks for missed ones by their ids."""
    from django_eventstream.utils import publish_event  # noqa: PLC0415 (reads settings)

    for event in events:
        made = as_library_event(event)
        here, before = str(event.seq), str(event.seq - 1)
        try:
            publish_event(str(session_id), made.type, made.data, here, before, blocking=False)
        except Exception:
            logger.exception("could not publish to GRIP", extra={"session": str(session_id)})


# --- Readers --------------------------------------------------------------------------------------


async def grip_feed(request: ProxiedRequest, session_id: UUID) -> HttpResponseBase:
    """Answer the proxy with one reader's first events and the channel to hold it on.

    The proxy asks again, by the next link, for missed events and every third of a lease. It
    then sends nothing of the reader's own request, so the link carries the reader's right.
    """
    if not getattr(getattr(request, "grip", None), "proxied", False):
        return JsonResponse(UnknownSession().body(), status=UnknownSession.status)
    is_next = _RIGHT in request.GET
    try:
        right = _signed_right(request, session_id) if is_next else await _right(request, session_id)
    except ChatError as error:
        return JsonResponse(error.body(), status=error.status)
    if right is None:
        return JsonResponse(Unauthenticated().body(), status=Unauthenticated.status)
    if not await in_thread(lapsed, [right]):
        return await in_thread(_hold, request, right)
    if is_next:
        # Of success and without a hold: that ends the answer of the proxy.
        ended: HttpResponseBase = sse_error_response("forbidden", FORBIDDEN)
        return ended
    return JsonResponse(UnknownSession().body(), status=UnknownSession.status)


async def _right(request: ProxiedRequest, session_id: UUID) -> Right | None:
    user = await signed_in(request)
    if user is None:
        return None
    return Right(user.pk, session_id, credential_of(request.scope, user))


def _signed_right(request: ProxiedRequest, session_id: UUID) -> Right | None:
    try:
        user_id, signed_for, credential = signing.loads(
            request.GET[_RIGHT], salt=__name__, max_age=_GOOD_FOR_S
        )
    except signing.BadSignature:
        return None
    return Right(user_id, session_id, credential) if signed_for == str(session_id) else None


def _hold(request: ProxiedRequest, right: Right) -> HttpResponseBase:
    """Return the library's answer; its next link carries the right, and a time."""
    from django_eventstream.views import events  # noqa: PLC0415 (reads settings)

    query = request.GET.copy()
    # The library's own word for the reader: it is good for an hour, whatever happens.
    query.pop("es-meta", None)
    parts = [right.user_id, str(right.session_id), right.credential]
    query[_RIGHT] = signing.dumps(parts, salt=__name__)
    request.GET = query  # type: ignore[assignment]  # the library copies and changes it again
    request.user = User.objects.get(pk=right.user_id)
    response: HttpResponseBase = events(request, session_id=right.session_id)
    instruct = request.grip.instruct
    if instruct is not None:
        # The proxy asks again by then: for what it missed unnoticed, and whether it may be read.
        instruct.set_next_link(instruct.next_link, timeout=max(1, round(chat.LEASE_S / 3)))
    return response
