"""`GET /events/{sessionId}`: the plain feed of one session, for third parties.

The request, the ids and the encoding are django-eventstream's; the log is ours. The library's own
view would hold a thread and a database connection for every reader, and sends the last page again
when an event comes in while it replays; here a reader is a cursor at the hub, as in the chat.
"""

from __future__ import annotations

import asyncio
import io
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qs, urlencode
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.core.handlers.asgi import ASGIRequest
from django_eventstream.eventrequest import EventRequest
from django_eventstream.eventresponse import EventResponse
from django_eventstream.eventstream import EventPermissionError, get_events
from django_eventstream.utils import make_id, sse_encode_error, sse_encode_event

from sessions.access.auth import authenticate
from sessions.access.credentials import credential_of
from sessions.core.conf import chat
from sessions.core.errors import InvalidRequest, Unauthenticated, UnknownSession
from sessions.limits import visits
from transport import asgi, frames
from transport.asgi import Receive, Scope, Send
from transport.errors import RETRY_AFTER_S, ReaderBehind, TooManyConnections
from transport.feed.eventstream import FORBIDDEN, SessionChannels
from transport.live import node
from transport.rows import pool
from transport.rows.rights import Right

PREFIX: Final = "/events/"
# The library's own interval.
KEEP_ALIVE_S: Final = 20.0
PAGE: Final = 100


class FeedReader:
    """One reader of one session."""

    def __init__(
        self, right: Right, user: User, request: EventRequest, writer: asgi.Writer
    ) -> None:
        self.right = right
        self.writer = writer
        self.session_id = right.session_id
        self.user = user
        self.request = request
        self.cursor: int | None = None
        self._woken = asyncio.Event()
        self._is_ending = False
        self._is_refused = False

    def wake(self, session_id: UUID) -> None:  # noqa: ARG002 (the port's signature)
        """Note that the session has moved: the hub calls it."""
        self._woken.set()

    def position(self, session_id: UUID) -> int | None:  # noqa: ARG002 (the port's signature)
        """Return the cursor."""
        return self.cursor

    def end(self) -> None:
        """End the feed; an EventSource reconnects by itself, with the id of its last event."""
        self._is_ending = True
        self._woken.set()

    def refuse(self) -> None:
        """End the feed because its right has lapsed: the node checks all feeds together."""
        self._is_refused = True
        self.end()

    async def run(self) -> None:
        """Serve until the client is gone, or `end` or `refuse` is called."""
        hub = node.current().hub
        hub.attach(self.session_id, self)
        try:
            await self._replay(opening=frames.FEED_OPENING)
            while not self._is_ending:
                try:
                    chunk, self.cursor = hub.chunk(self.session_id, self.cursor or 0)
                except ReaderBehind:
                    await self._replay()
                    continue
                if chunk:
                    await self.writer(chunk)
                elif not await self._wait():
                    await self.writer(frames.FEED_KEEP_ALIVE)
            if self._is_refused:
                await self.writer(sse_encode_error("forbidden", FORBIDDEN).encode())
        finally:
            hub.detach(self.session_id, self)

    async def _replay(self, opening: bytes = b"") -> None:
        """Send the events of the log after the cursor, page by page.

        opening goes before them: a reader that has it gets every later event.
        """
        while not self._is_ending:
            if self.cursor is not None:
                self.request.channel_last_ids = {str(self.session_id): str(self.cursor)}
            try:
                response: EventResponse = await pool.run(get_events, self.request, PAGE, self.user)
            except EventPermissionError:
                self.refuse()
                return
            body, self.cursor = _page(response, str(self.session_id))
            if opening or body:
                await self.writer(opening + body)
            opening = b""
            if not response.channel_items[str(self.session_id)]:
                break  # a page of long events has fewer than PAGE, and is not the last for that
        node.current().hub.start_at(self.session_id, self.cursor or 0)

    async def _wait(self) -> bool:
        """Wait for news; False when nothing came for KEEP_ALIVE_S."""
        try:
            async with asyncio.timeout(KEEP_ALIVE_S):
                await self._woken.wait()
        except TimeoutError:
            return False
        self._woken.clear()
        return True


def _page(response: EventResponse, channel: str) -> tuple[bytes, int]:
    """Return one page of the library's answer as frames, and the cursor behind it."""
    cursor = int(response.channel_last_ids.get(channel, 0))
    body = ""
    if response.channel_reset:
        # The library's word for a cursor that does not join on: ask for the session again.
        body += sse_encode_event(
            "stream-reset",
            {"channels": [channel]},
            event_id=make_id({channel: cursor}),
            json_encode=True,
        )
    for item in response.channel_items[channel]:
        cursor = item.id
        body += sse_encode_event(item.type, item.data, event_id=make_id({channel: cursor}))
    return body.encode(), cursor


def is_ours(scope: Scope) -> bool:
    """Return whether a request is for the feed here, and not for a GRIP proxy's hold."""
    is_feed: bool = scope["path"].startswith(PREFIX)
    return is_feed and not (settings.GRIP_URL and b"grip-sig" in dict(scope["headers"]))


async def feed_app(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one feed from its request to its end."""
    writer = asgi.Writer(send)
    feed = await asgi.opened(scope, send, partial(_open, writer=writer))
    if feed is None:
        return
    here = node.current()
    here.start()
    here.feeds.add(feed)
    try:
        await asgi.serve_sse(
            receive, send, writer=writer, run=feed.run, end=feed.end, user_id=feed.right.user_id
        )
    finally:
        here.feeds.discard(feed)


async def _open(scope: Scope, *, writer: asgi.Writer) -> FeedReader:
    """Authenticate and parse. Raises ChatError."""
    user = await authenticate(scope)
    if user is None:
        raise Unauthenticated
    visits.open_stream(user.pk)
    try:
        session_id = UUID(scope["path"].removeprefix(PREFIX))
    except ValueError as exc:
        raise UnknownSession from exc
    if not await pool.run(SessionChannels().can_read_channel, user, str(session_id)):
        raise UnknownSession(sessionId=str(session_id))
    mine = sum(feed.right.user_id == user.pk for feed in node.current().feeds)
    if mine >= chat.MAX_CONNECTIONS_PER_USER:
        raise TooManyConnections(limit=chat.MAX_CONNECTIONS_PER_USER, retryAfter=RETRY_AFTER_S)
    right = Right(user.pk, session_id, credential_of(scope, user))
    return FeedReader(right, user, _library_request(scope, session_id, user), writer)


def _library_request(scope: Scope, session_id: UUID, user: Any) -> EventRequest:
    """Return the library's view of the request: the place to go on from, mostly."""
    request = ASGIRequest(_without_signed_parts(scope), io.BytesIO())
    request.user = user
    try:
        parsed = EventRequest(request, view_kwargs={"session_id": session_id})
        for last_id in parsed.channel_last_ids.values():
            if not (last_id.isascii() and last_id.isdigit() and len(last_id) <= 18):
                raise EventRequest.Error(f"{last_id} is no event's id")
    except EventRequest.Error as exc:
        raise InvalidRequest("Last-Event-ID must be <sessionId>:<seq>.") from exc
    return parsed


def _without_signed_parts(scope: Scope) -> dict[str, Any]:
    """Return the scope with lastEventId alone in its query.

    The rest of the library's query is for GRIP proxies, which ask its own view.
    """
    query = parse_qs(scope["query_string"].decode("latin1"))
    kept = {"lastEventId": query["lastEventId"][-1]} if "lastEventId" in query else {}
    return {**scope, "query_string": urlencode(kept).encode()}
