"""The routes for reading, each authorised first: docs/reference/http-api.md."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from ninja import Field, Query, Router, Schema
from typing_extensions import TypedDict

from sessions.agents import registry
from sessions.agents.processes import confine
from sessions.control import settings
from sessions.core.conf import chat
from sessions.core.db import in_thread
from sessions.eventlog.shapes import EventPage, MessagePage, SessionPage, SessionRow, Snapshot
from sessions.models import MAX_TITLE_CHARS, Session
from sessions.reading import export, queries
from sessions.web.answers import Done, JsonAnswer, command, reading

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


class Renamed(TypedDict):
    """The session under its new title."""

    ok: Literal[True]
    session: SessionRow


class AgentRow(TypedDict):
    """A configured agent; whyNot: the reason for which it cannot start, else None."""

    name: str
    label: str
    description: str
    canStart: bool
    whyNot: str | None
    isConfined: bool


class ConfinementRow(TypedDict):
    """The confinement of agents: landlock, bubblewrap or off, and a sentence."""

    kind: str
    sentence: str


class AgentList(TypedDict):
    """Every configured agent, and how agents are confined."""

    agents: list[AgentRow]
    confinement: ConfinementRow


def _limit(asked: int | None) -> int:
    return asked or min(chat.HISTORY_PAGE, queries.MAX_PAGE)


@router.get(
    "/sessions",
    response=reading(SessionPage),
    summary="Sessions of the user, last active first",
)
async def list_sessions(request: Authorised, query: Query[ListQuery]) -> JsonAnswer[SessionPage]:
    """One page of sessions; q looks into titles and messages."""
    page = await in_thread(
        queries.session_page,
        request.auth,
        text=query.q.replace("\0", ""),
        states=query.state,
        before=query.before,
        limit=_limit(query.limit),
    )
    return JsonAnswer(page)


@router.get("/sessions/{uuid:session_id}", response=reading(SessionRow), summary="One session")
async def read_session(request: Authorised, session_id: UUID) -> JsonAnswer[SessionRow]:
    """The session's row, without its transcript."""
    session = await in_thread(Session.objects.find, request.auth, session_id)
    return JsonAnswer(queries.session_row(session))


@router.patch("/sessions/{uuid:session_id}", response=command(Renamed), summary="Rename a session")
async def rename_session(
    request: Authorised, session_id: UUID, body: Rename
) -> JsonAnswer[Renamed]:
    """Append a title_changed; every open page follows."""
    await in_thread(settings.rename, user=request.auth, session_id=session_id, title=body.title)
    session = await in_thread(Session.objects.find, request.auth, session_id)
    return JsonAnswer({"ok": True, "session": queries.session_row(session)})


@router.delete(
    "/sessions/{uuid:session_id}",
    response=command(Done),
    summary="Archive a session; its log stays",
)
async def archive_session(request: Authorised, session_id: UUID) -> JsonAnswer[Done]:
    """Take the session off the list and close it."""
    await in_thread(settings.archive, user=request.auth, session_id=session_id)
    return JsonAnswer({"ok": True})


@router.get(
    "/sessions/{uuid:session_id}/snapshot",
    response=reading(Snapshot),
    summary="The session folded at its head",
)
async def read_snapshot(request: Authorised, session_id: UUID) -> JsonAnswer[Snapshot]:
    """The session, folded for a client: docs/reference/events.md#the-snapshot."""
    return JsonAnswer(await in_thread(queries.session_snapshot, request.auth, session_id))


@router.get(
    "/sessions/{uuid:session_id}/messages",
    response=reading(MessagePage),
    summary="Older messages of the transcript",
)
async def list_messages(
    request: Authorised, session_id: UUID, query: Query[MessagesQuery]
) -> JsonAnswer[MessagePage]:
    """The last finished messages before a seq, oldest first."""
    page = await in_thread(
        queries.message_page,
        request.auth,
        session_id,
        before=query.before,
        limit=_limit(query.limit),
    )
    return JsonAnswer(page)


@router.get(
    "/sessions/{uuid:session_id}/events",
    response=reading(EventPage),
    summary="Raw events of the log",
)
async def list_events(
    request: Authorised, session_id: UUID, query: Query[EventsQuery]
) -> JsonAnswer[EventPage]:
    """Events after a seq, ascending: a client fills a skipped range with them."""
    page = await in_thread(
        queries.event_page,
        request.auth,
        session_id,
        after=query.after,
        upto=query.upto,
        limit=_limit(query.limit),
    )
    return JsonAnswer(page)


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


@router.get(
    "/agents",
    response=reading(AgentList),
    summary="Configured agents, and whether each can start",
)
async def list_agents(request: Authorised) -> JsonAnswer[AgentList]:  # noqa: ARG001 (ninja's)
    """Every agent of the configuration; whyNot names the reason when one cannot start."""
    specs = await in_thread(registry.available)
    agents: list[AgentRow] = [
        {
            "name": spec.name,
            "label": spec.label,
            "description": spec.description,
            "canStart": spec.can_start,
            "whyNot": spec.why_not,
            "isConfined": spec.is_confined,
        }
        for spec in specs
    ]
    held = await in_thread(confine.status)
    confinement: ConfinementRow = {"kind": held.kind, "sentence": held.sentence}
    return JsonAnswer({"agents": agents, "confinement": confinement})
