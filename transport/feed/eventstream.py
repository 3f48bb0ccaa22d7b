"""django-eventstream over our log: its storage and channel manager.

A channel is a session's id, an event's id its seq. The library reads; only eventlog.store writes.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any, Final
from uuid import UUID

from django.http import HttpRequest
from django_eventstream.channelmanager import ChannelManagerBase
from django_eventstream.event import Event
from django_eventstream.storage import EventDoesNotExist, StorageBase

from sessions.core.conf import chat
from sessions.core.errors import AppendOnly, UnknownSession
from sessions.eventlog import store
from sessions.eventlog.events import LoggedEvent
from sessions.models import Session
from transport.frames import envelope

# Every event of the feed has the same SSE type; its own is in the envelope, as in the chat's
# stream.
EVENT_TYPE = "message"
FORBIDDEN: Final = "You may not read this session."


class LogStorage(StorageBase):  # type: ignore[misc]  # the library has no types
    """The event log as the library's storage."""

    def append_event(self, channel: str, event_type: str, data: object) -> Event:  # noqa: ARG002 (the port's signature)
        """Refuse: sessions.eventlog.store is the only writer."""
        raise AppendOnly

    def get_events(self, channel: str, last_id: int, limit: int = 100) -> list[Event]:
        """Return the events after last_id, ascending, at most limit and TEXT_BYTES, one at least.

        Raises EventDoesNotExist when the log does not reach there, or not any more.
        """
        session_id = UUID(channel)
        try:
            edge = store.boundary(session_id)
        except UnknownSession as exc:
            raise EventDoesNotExist(f"There is no session {channel}.", 0) from exc
        if not 0 <= last_id <= edge.head or (last_id < edge.pruned_to and last_id < edge.head):
            raise EventDoesNotExist(f"There is no event {last_id} to go on from.", edge.head)
        batches = store.batches(session_id, after=last_id, limit=limit, max_bytes=chat.TEXT_BYTES)
        with closing(batches):
            return [as_library_event(event) for event in next(batches, [])]

    def get_current_id(self, channel: str) -> int:
        """Return the head."""
        return store.get_head_seq(UUID(channel))


class SessionChannels(ChannelManagerBase):  # type: ignore[misc]  # the library has no types
    """The rights of readers to channels."""

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
        """Every event of a session is stored before any reader sees it."""
        return True


def as_library_event(event: LoggedEvent) -> Event:
    """Return an event of the log as the library knows events."""
    return Event(str(event.session_id), EVENT_TYPE, envelope(event).decode(), event.seq)
