"""The routes for reading, each authorised first: docs/reference/http-api.md."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from ninja import Field, Query, Router, Schema

from sessions.agents import registry
from sessions.control import settings
from sessions.core.conf import chat
from sessions.core.db import in_thread
from sessions.eventlog.shapes import EventPage, MessagePage, SessionPage, SessionRow, Snapshot
from sessions.models import MAX_TITLE_CHARS, Session
from sessions.reading import export, queries

router = Router(tags=["reading"])

# The widest number that both databases compare without failing.
MAX_SEQ = 2**63 - 1
Seq = Annotated[int, Field(ge=0, le=MAX_SEQ)]
Limit = Annotated[int | None, Field(ge=1, le=queries.MAX_PAGE)]


class Authorised(HttpRequest):
    """A request that sessions.access.auth.signed_in has let through."""

    auth: Any


class ListQuery(Schema):
    """Which sessions to list."""

    q: str = Field("", max_length=queries.MAX_QUERY_CHARS)
    state: str = Field("", max_length=200)
    before: str = Field("", max_length=100)
    limit: Limit = None


class MessagesQuery(Schema):
    """Which page of finished messages."""

    before: Annotated[int | None, Field(ge=0, le=MAX_SEQ)] = None
    limit: Limit = None


class EventsQuery(Schema):
    """Which page of the log."""

    after: Seq = 0
    upto: Annotated[int | None, Field(ge=0, le=MAX_SEQ)] = None
    limit: Limit = None


class ExportQuery(Schema):
    """Which form of the transcript."""

    format: Literal["md", "jsonl"] = "md"


class Rename(Schema):
    """The fields of a session that a person may change."""

    title: str = Field(max_length=MAX_TITLE_CHARS)


def _limit(asked: int | None) -> int:
    return asked or min(chat.HISTORY_PAGE, queries.MAX_PAGE)


@router.get("/sessions", summary="Sessions of the user, last active first")
async def list_sessions(request: Authorised, query: Query[ListQuery]) -> SessionPage:
    """One page of sessions; q looks into titles and messages."""
    return await in_thread(
        queries.session_page,
        request.auth,
        text=query.q.replace("\0", ""),
        states=query.state,
        before=query.before,
        limit=_limit(query.limit),
    )


@router.get("/sessions/{uuid:session_id}", summary="One session")
async def read_session(request: Authorised, session_id: UUID) -> SessionRow:
    """The session's row, without its transcript."""
    session = await in_thread(Session.objects.find, request.auth, session_id)
    return queries.session_row(session)


@router.patch("/sessions/{uuid:session_id}", summary="Rename a session")
async def rename_session(request: Authorised, session_id: UUID, body: Rename) -> dict[str, Any]:
    """Append a title_changed; every open page follows."""
    await in_thread(settings.rename, user=request.auth, session_id=session_id, title=body.title)
    session = await in_thread(Session.objects.find, request.auth, session_id)
    return {"ok": True, "session": queries.session_row(session)}


@router.delete("/sessions/{uuid:session_id}", summary="Archive a session; its log stays")
async def archive_session(request: Authorised, session_id: UUID) -> dict[str, Any]:
    """Take the session off the list and close it."""
    await in_thread(settings.archive, user=request.auth, session_id=session_id)
    return {"ok": True}


@router.get("/sessions/{uuid:session_id}/snapshot", summary="The session folded at its head")
async def read_snapshot(request: Authorised, session_id: UUID) -> Snapshot:
    """The session, folded for a client: docs/reference/events.md#the-snapshot."""
    return await in_thread(queries.session_snapshot, request.auth, session_id)


@router.get("/sessions/{uuid:session_id}/messages", summary="Older messages of the transcript")
async def list_messages(
    request: Authorised, session_id: UUID, query: Query[MessagesQuery]
) -> MessagePage:
    """The last finished messages before a seq, oldest first."""
    return await in_thread(
        queries.message_page,
        request.auth,
        session_id,
        before=query.before,
        limit=_limit(query.limit),
    )


@router.get("/sessions/{uuid:session_id}/events", summary="Raw events of the log")
async def list_events(
    request: Authorised, session_id: UUID, query: Query[EventsQuery]
) -> EventPage:
    """Events after a seq, ascending: what fills a skipped range."""
    return await in_thread(
        queries.event_page,
        request.auth,
        session_id,
        after=query.after,
        upto=query.upto,
        limit=_limit(query.limit),
    )


@router.get("/sessions/{uuid:session_id}/export", summary="The transcript as a file")
async def export_session(
    request: Authorised, session_id: UUID, query: Query[ExportQuery]
) -> HttpResponseBase:
    """The transcript up to the head at the time of asking, streamed."""
    session = await in_thread(Session.objects.find, request.auth, session_id)
    name = export.file_name(session, query.format)
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingHttpResponse(
        export.stream(session, query.format),
        content_type=export.CONTENT_TYPES[query.format],
        headers=headers,
    )


@router.get("/agents", summary="Configured agents, and whether each can start")
async def list_agents(request: Authorised) -> dict[str, Any]:  # noqa: ARG001 (ninja passes it)
    """Every agent of the configuration; whyNot tells what one that cannot start misses."""
    specs = await in_thread(registry.available)
    return {
        "agents": [
            {
                "name": spec.name,
                "label": spec.label,
                "description": spec.description,
                "canStart": spec.can_start,
                "whyNot": spec.why_not,
            }
            for spec in specs
        ]
    }
