"""django-eventstream over our log: its storage and channel manager, and publishing to GRIP.

A channel is a session's id, an event's id its seq. The library reads; only sessions.log writes.
"""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django_eventstream.channelmanager import ChannelManagerBase
from django_eventstream.event import Event
from django_eventstream.storage import EventDoesNotExist, StorageBase
from pydantic_core import to_json

from sessions import log as event_log
from sessions.auth import signed_in
from sessions.db import in_thread
from sessions.errors import AppendOnly, Unauthenticated, UnknownSession
from sessions.models import Session
from sessions.protocol import LoggedEvent

log = logging.getLogger(__name__)

# Every event of the feed has the same SSE type; its own is in the envelope, as in the chat's
# stream.
EVENT_TYPE = "message"


class LogStorage(StorageBase):  # type: ignore[misc]  # the library has no types
    """The event log as the library's storage."""

    def append_event(self, channel: str, event_type: str, data: object) -> Event:  # noqa: ARG002 (the port's signature)
        """Refuse: sessions.log is the only writer."""
        raise AppendOnly

    def get_events(self, channel: str, last_id: int, limit: int = 100) -> list[Event]:
        """Return the events after last_id, ascending, at most limit.

        Raises EventDoesNotExist when the log does not reach there, or not any more.
        """
        session_id = UUID(channel)
        try:
            edge = event_log.boundary(session_id)
        except UnknownSession as exc:
            raise EventDoesNotExist(f"There is no session {channel}.", 0) from exc
        if not 0 <= last_id <= edge.head or (last_id < edge.pruned_to and last_id < edge.head):
            raise EventDoesNotExist(f"There is no event {last_id} to go on from.", edge.head)
        return [as_library_event(e) for e in event_log.read(session_id, after=last_id, limit=limit)]

    def get_current_id(self, channel: str) -> int:
        """Return the head."""
        return event_log.get_head_seq(UUID(channel))


class SessionChannels(ChannelManagerBase):  # type: ignore[misc]  # the library has no types
    """Who may read which session."""

    def get_channels_for_request(
        self,
        request: HttpRequest,  # noqa: ARG002 (the port's signature)
        view_kwargs: dict[str, Any],
    ) -> set[str]:
        """Return the session that the path names."""
        return {str(view_kwargs["session_id"])}

    def can_read_channel(self, user: Any, channel: str) -> bool:
        """Return whether a user owns a session and may log in."""
        try:
            session_id = UUID(channel)
        except ValueError:
            return False
        if user is None:
            return False
        return Session.objects.filter(
            pk=session_id, owner_id=user.pk, owner__is_active=True
        ).exists()

    def is_channel_reliable(self, channel: str) -> bool:  # noqa: ARG002 (the port's signature)
        """Every event of a session is stored before anybody sees it."""
        return True


def as_library_event(event: LoggedEvent) -> Event:
    """Return an event of the log as the library knows events."""
    return Event(str(event.session_id), EVENT_TYPE, to_json(event.envelope()).decode(), event.seq)


def publish_to_grip(*, session_id: UUID, events: list[LoggedEvent], **_: Any) -> None:
    """Hand committed events to the GRIP proxies (Pushpin), which hold the feed's readers.

    Connected to log.committed when GRIP_URL is set. The proxy fills what it misses by the ids.
    """
    from django_eventstream.utils import publish_event  # noqa: PLC0415 (reads settings)

    for event in events:
        made = as_library_event(event)
        try:
            publish_event(
                str(session_id),
                made.type,
                made.data,
                str(event.seq),
                str(event.seq - 1),
                blocking=False,
            )
        except Exception:
            log.exception("could not publish to GRIP", extra={"session": str(session_id)})


def connect_grip() -> None:
    """Publish every commit of this process, where a GRIP proxy is configured."""
    if settings.GRIP_URL:
        event_log.committed.connect(publish_to_grip, dispatch_uid="publish to grip")


async def grip_feed(request: HttpRequest, session_id: UUID) -> HttpResponseBase:
    """Tell a GRIP proxy what to hold for one reader of the feed, and what to send first.

    The proxy's readers cost us nothing until they come back for what they missed.
    """
    from django_eventstream.views import events  # noqa: PLC0415 (reads settings)

    user = await signed_in(request)
    if user is None:
        return JsonResponse(Unauthenticated().body(), status=Unauthenticated.status)
    is_proxied = getattr(getattr(request, "grip", None), "proxied", False)
    channel = str(session_id)
    if not is_proxied or not await in_thread(SessionChannels().can_read_channel, user, channel):
        return JsonResponse(UnknownSession().body(), status=UnknownSession.status)
    request.user = user
    response: HttpResponseBase = await in_thread(events, request, session_id=session_id)
    return response
