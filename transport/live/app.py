"""`GET /api/chat/events`: the stream as a plain ASGI application.

It is mounted in front of Django: a response of Django's own keeps a thread while it is open, and an
idle stream must hold neither a thread nor a database connection.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final
from urllib.parse import parse_qsl
from uuid import UUID

from sessions.access.auth import authenticate
from sessions.access.credentials import credential_of
from sessions.core import metrics
from sessions.core.errors import ChatError, InvalidRequest, ServerError, Unauthenticated
from transport.bodies import MAX_CURSOR
from transport.live import node
from transport.live.stream import Cause, Stream, Task
from transport.rows import connections, pool

logger = logging.getLogger(__name__)

PATH: Final = "/api/chat/events"

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

STREAM_HEADERS: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    # nginx would collect the frames otherwise.
    (b"x-accel-buffering", b"no"),
]


class MethodNotAllowed(ChatError):
    """A stream is read with GET."""

    code = "method_not_allowed"
    status = 405
    sentence = "This method is not allowed here."


async def stream_app(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one stream from its request to its end."""
    try:
        opened = await _open(scope)
    except ChatError as exc:
        metrics.STREAMS_REFUSED.labels(code=exc.code).inc()
        await send_error(send, exc)
        return
    except Exception:
        logger.exception("a stream could not be opened")
        await send_error(send, ServerError())
        return
    await _serve(opened, receive, send)


async def _open(scope: Scope) -> tuple[connections.Opened, list[str]]:
    """Authenticate, parse and make the rows; return them and the names that are no sessions."""
    if scope["method"] != "GET":
        raise MethodNotAllowed
    user = await authenticate(scope)
    if user is None:
        raise Unauthenticated
    headers = dict(scope["headers"])
    watches, strange = parse_watches(
        scope["query_string"].decode("latin1"),
        headers.get(b"last-event-id", b"").decode("latin1"),
    )
    opened = await pool.run(
        connections.open_connection,
        user,
        user_agent=headers.get(b"user-agent", b"").decode("latin1"),
        watches=list(watches.items()),
        credential=credential_of(scope, user),
    )
    return opened, strange


async def _serve(
    opening: tuple[connections.Opened, list[str]], receive: Receive, send: Send
) -> None:
    opened, strange = opening

    async def write(chunk: bytes) -> None:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})

    here = node.current()
    stream = Stream(opened.id, hub=here.hub, write=write, spread_ms=here.spread_ms)
    for session_id in opened.rejected:
        stream.reject(str(session_id))
    for name in strange:
        stream.reject(name)
    here.add(stream)
    listener = asyncio.create_task(_end_with_client(receive, stream), name="client gone")
    try:
        await send({"type": "http.response.start", "status": 200, "headers": STREAM_HEADERS})
        for session_id, cursor in opened.accepted:
            stream.watch(session_id, Task(Cause.ASKED, cursor, version=1))
        here.refresh_presence([session_id for session_id, _ in opened.accepted])
        with metrics.STREAMS_OPEN.track_inprogress():
            await _run(stream)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        listener.cancel()
        # A cancelled stream closes its rows all the same.
        await asyncio.shield(here.remove(stream, "stream ended"))


async def _run(stream: Stream) -> None:
    """Serve to the end; a stream that was cut ends like any other."""
    try:
        await stream.run()
    except asyncio.CancelledError:
        if not stream.was_cut:
            raise


async def _end_with_client(receive: Receive, stream: Stream) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.end()


def parse_watches(query: str, last_event_id: str) -> tuple[dict[UUID, int | None], list[str]]:
    """Return the cursor of each watched session, and the names that are no session ids.

    Raises InvalidRequest for a malformed cursor.
    """
    watches: dict[UUID, int | None] = {}
    strange: list[str] = []
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key != "watch":
            continue
        name, has_cursor, cursor = value.partition(":")
        parsed = _cursor(cursor) if has_cursor else None
        session_id = _session_id(name)
        if session_id is None:
            strange.append(name[:100])
        else:
            watches[session_id] = parsed
    name, _, seq = last_event_id.strip().partition(":")
    session_id = _session_id(name)
    # Only a session that is watched anyway: a browser sends the header by itself.
    if session_id in watches:
        watches[session_id] = _cursor(seq)
    return watches, strange


def _session_id(name: str) -> UUID | None:
    try:
        return UUID(name) if len(name) == 36 else None
    except ValueError:
        return None


def _cursor(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 16 and int(text) <= MAX_CURSOR:
        return int(text)
    raise InvalidRequest(
        "Not valid: watch.", fields={"watch": "The cursor must be a whole number from 0 on."}
    )


async def send_error(send: Send, exc: ChatError) -> None:
    """Answer a stream's request with a JSON error."""
    body = json.dumps(exc.body()).encode()
    headers = [
        (b"content-type", b"application/json; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": exc.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
