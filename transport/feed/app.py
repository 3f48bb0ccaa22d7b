"""`GET /events/{sessionId}`: the plain feed of one session, for third parties.

The request, the ids and the encoding are django-eventstream's; the log is ours. The library's own
view would hold a thread and a database connection for every reader, and sends the last page again
when an event comes in while it replays; here a reader is a cursor at the hub, as in the chat.
"""

from __future__ import annotations

import asyncio
import io
import logging
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
from sessions.core.errors import (
    ChatError,
    InvalidRequest,
    TooManyConnections,
    Unauthenticated,
    UnknownSession,
)
from transport.feed.eventstream import FORBIDDEN, SessionChannels
from transport.live import node
from transport.live.app import STREAM_HEADERS, MethodNotAllowed, Receive, Scope, Send, send_error
from transport.live.ring import ReaderBehind
from transport.rows import pool
from transport.rows.rights import Right

logger = logging.getLogger(__name__)

PREFIX: Final = "/events/"
# The library's own interval.
KEEP_ALIVE_S: Final = 20.0
PAGE: Final = 100
OPENING: Final = b"retry: 1000\nevent: stream-open\ndata:\n\n"


class Feed:
    """One reader of one session."""

    def __init__(self, right: Right, user: User, request: EventRequest) -> None:
        self.right = right
        self.session_id = right.session_id
        self.user = user
        self.request = request
        self.cursor: int | None = None
        self._woken = asyncio.Event()
        self._is_ending = False
        self._is_refused = False
        self.is_given_up = False

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

    def give_up(self) -> None:
        """End the feed of who has stopped reading: nothing more is written to it."""
        self.is_given_up = True
        self.end()

    def refuse(self) -> None:
        """End the feed of who may not read any more: the node asks for all feeds together."""
        self._is_refused = True
        self.end()

    async def run(self, write: Any) -> None:
        """Serve until the client is gone, or `end` or `refuse` is called."""
        hub = node.current().hub
        hub.attach(self.session_id, self)
        try:
            await self._replay(write, opening=OPENING)
            while not self._is_ending:
                try:
                    chunk, self.cursor = hub.chunk(self.session_id, self.cursor or 0)
                except ReaderBehind:
                    await self._replay(write)
                    continue
                if chunk:
                    await write(chunk)
                elif not await self._wait():
                    await write(b"event: keep-alive\ndata:\n\n")
            if self._is_refused:
                await write(sse_encode_error("forbidden", FORBIDDEN).encode())
        finally:
            hub.detach(self.session_id, self)

    async def _replay(self, write: Any, opening: bytes = b"") -> None:
        """Send what the log has after the cursor, page by page.

        opening goes before it: who has read it is sure to get every later event.
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
                await write(opening + body)
            opening = b""
            if not response.channel_more:
                break
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
        # The library's word for: what you have does not join on, ask for the session anew.
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
    try:
        feed = await _open(scope)
    except ChatError as exc:
        await send_error(send, exc)
        return
    except Exception:
        logger.exception("a feed could not be opened")
        await send_error(send, ChatError())
        return

    async def write(chunk: bytes) -> None:
        if feed.is_given_up:
            return
        try:
            async with asyncio.timeout(chat.STALL_LIMIT_S):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        except TimeoutError:
            logger.info("a reader is given up", extra={"session": str(feed.session_id)})
            feed.give_up()

    async def end_with_client() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        feed.end()

    here = node.current()
    here.start()
    here.feeds.add(feed)
    listener = asyncio.create_task(end_with_client(), name="client gone")
    try:
        await send({"type": "http.response.start", "status": 200, "headers": STREAM_HEADERS})
        await feed.run(write)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        listener.cancel()
        here.feeds.discard(feed)


async def _open(scope: Scope) -> Feed:
    """Authenticate and parse. Raises ChatError."""
    if scope["method"] != "GET":
        raise MethodNotAllowed
    user = await authenticate(scope)
    if user is None:
        raise Unauthenticated
    try:
        session_id = UUID(scope["path"].removeprefix(PREFIX))
    except ValueError as exc:
        raise UnknownSession from exc
    if not await pool.run(SessionChannels().can_read_channel, user, str(session_id)):
        raise UnknownSession(sessionId=str(session_id))
    mine = sum(feed.right.user_id == user.pk for feed in node.current().feeds)
    if mine >= chat.MAX_CONNECTIONS_PER_USER:
        raise TooManyConnections(limit=chat.MAX_CONNECTIONS_PER_USER)
    right = Right(user.pk, session_id, credential_of(scope, user))
    return Feed(right, user, _library_request(scope, session_id, user))


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
