"""`GET /api/chat/events`: the stream of one client, from its request to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl
from uuid import UUID

from sessions.access.auth import authenticate
from sessions.access.credentials import credential_of
from sessions.core import metrics
from sessions.core.errors import ChatError, InvalidRequest, Unauthenticated
from sessions.core.tasks import Together
from sessions.limits import visits
from transport import asgi
from transport.asgi import Receive, Scope, Send
from transport.bodies import MAX_CURSOR
from transport.live import node
from transport.live.stream import Stream
from transport.models import Watch
from transport.rows import connections, pool
from transport.rows.orders import CatchUpRequest

PATH: Final = "/api/chat/events"


# So many openings share a transaction.
OPENED_TOGETHER: Final = 64


async def _open_all(
    wanted: Sequence[connections.Wanted],
) -> list[connections.Opened | Exception]:
    return await pool.run(connections.open_all, wanted)


_openings: Final = Together(_open_all, most=OPENED_TOGETHER)


@dataclass(frozen=True, slots=True)
class Opening:
    """The rows of a new stream, and the names in its request that are no session ids."""

    rows: connections.Opened
    strange: list[str]
    user_id: int


async def stream_app(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one stream."""
    opening = await asgi.opened(scope, send, _counted)
    if opening is not None:
        await _serve(opening, receive, send, scope.get(asgi.OUTPUT))


async def _counted(scope: Scope) -> Opening:
    try:
        return await _open(scope)
    except ChatError as exc:
        metrics.STREAMS_REFUSED.labels(code=exc.code).inc()
        raise


async def _open(scope: Scope) -> Opening:
    """Authenticate, parse and make the rows. Raises ChatError."""
    user = await authenticate(scope)
    if user is None:
        raise Unauthenticated
    visits.open_stream(user.pk)
    headers = dict(scope["headers"])
    watches, strange = parse_watches(
        scope["query_string"].decode("latin1"),
        headers.get(b"last-event-id", b"").decode("latin1"),
    )
    wanted = connections.Wanted(
        user,
        user_agent=headers.get(b"user-agent", b"").decode("latin1"),
        watches=list(watches.items()),
        credential=credential_of(scope, user),
    )
    rows = await _openings.ask(wanted)
    return Opening(rows, strange, user.pk)


async def _serve(
    opening: Opening, receive: Receive, send: Send, output: asgi.Output | None
) -> None:
    rows = opening.rows
    here = node.current()
    writer = asgi.Writer(send, output)
    stream = Stream(
        rows.id,
        hub=here.hub,
        writer=writer,
        spread_ms=here.spread_ms,
        user_id=opening.user_id,
    )
    for name in [*map(str, rows.rejected), *opening.strange]:
        stream.reject(name)

    async def run() -> None:
        for session_id, cursor in rows.accepted:
            stream.catch_up(session_id, CatchUpRequest(Watch.Order.WATCH, cursor, version=1))
        here.refresh_presence([session_id for session_id, _ in rows.accepted])
        with metrics.STREAMS_OPEN.track_inprogress():
            await stream.run()

    here.add(stream)
    try:
        await asgi.serve_sse(
            receive, send, writer=writer, run=run, end=stream.end, user_id=opening.user_id
        )
    finally:
        # A cancelled stream closes its rows all the same.
        await asyncio.shield(here.remove(stream, "stream ended"))


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
