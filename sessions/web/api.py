"""The routes for reading, each authorised first: docs/reference/http-api.md."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal
from uuid import UUID

from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from ninja import Field, Query, Router, Schema
from typing_extensions import TypedDict

from sessions.control import settings, waiting
from sessions.control.erasing import erase as erasing
from sessions.core.conf import chat
from sessions.core.db import in_thread
from sessions.core.errors import InvalidRequest
from sessions.limits import visits
from sessions.models import MAX_TITLE_CHARS, Session
from sessions.reading import blocks, export, queries
from sessions.reading.shapes import (
    BlockPage,
    EventPage,
    MessagePage,
    PersonalSnapshot,
    SessionDetail,
    SessionPage,
)
from sessions.trail.record import Act, record_chat
from sessions.web import reads
from sessions.web.answers import (
    DONE,
    Done,
    EncodedAnswer,
    JsonAnswer,
    command,
    reading,
    unless_held,
)
from sessions.web.authorised import Authorised
from sessions.web.validation import Body

router = Router(tags=["reading"])

# The widest number that both databases compare without failing.
MAX_SEQ = 2**63 - 1
# The place of a character that PostgreSQL can count to.
MAX_START = 2**30
Seq = Annotated[int, Field(ge=0, le=MAX_SEQ)]
Limit = Annotated[int | None, Field(ge=1, le=queries.MAX_PAGE)]


class ListQuery(Schema):
    """Which sessions to list."""

    q: str = Field("", max_length=queries.MAX_QUERY_CHARS)
    state: str = Field("", max_length=200)
    projectId: UUID | None = None  # noqa: N815 (the wire's name)
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


class BlockQuery(Schema):
    """Which piece of which text. start: the character that it begins at."""

    part: blocks.Part = "content"
    start: Annotated[int, Field(ge=0, le=MAX_START)] = 0


class DeleteQuery(Schema):
    """Whether the log goes too."""

    permanently: bool = False


class ExportQuery(Schema):
    """Which form of the transcript."""

    format: Literal["md", "jsonl"] = "md"


class Change(Body):
    """The fields of a session that a person may change."""

    title: str | None = Field(None, max_length=MAX_TITLE_CHARS)
    waitSeconds: int | None = Field(None, ge=0, le=waiting.MAX_WAIT_S)  # noqa: N815 (the wire's name)


class Changed(TypedDict):
    """The session after the change."""

    ok: Literal[True]
    session: SessionDetail


def _limit(asked: int | None) -> int:
    return asked or min(chat.HISTORY_PAGE, queries.MAX_PAGE)


@router.get(
    "/sessions",
    response=reading(SessionPage),
    summary="Sessions of the user, last active first",
)
async def list_sessions(request: Authorised, query: Query[ListQuery]) -> HttpResponseBase:
    """One page of sessions; q looks into titles and messages. 304 where a client holds it."""
    if query.q:
        await reads.hold_place(request.auth, visits.searches)
    page: EncodedAnswer[SessionPage] = await reads.answer(
        request.auth,
        queries.session_page,
        request.auth,
        text=query.q.replace("\0", ""),
        states=query.state,
        project_id=query.projectId,
        before=query.before,
        limit=_limit(query.limit),
    )
    return unless_held(request, page)


@router.get("/sessions/{uuid:session_id}", response=reading(SessionDetail), summary="One session")
async def read_session(request: Authorised, session_id: UUID) -> JsonAnswer[SessionDetail]:
    """The session's row and the person's draft, without its transcript."""
    return JsonAnswer(await in_thread(queries.read_session, request.auth, session_id))


@router.patch("/sessions/{uuid:session_id}", response=command(Changed), summary="Change a session")
async def change_session(
    request: Authorised, session_id: UUID, body: Change
) -> JsonAnswer[Changed]:
    """Change its title, or the time that its requests wait; the log tells both."""
    given = body.model_fields_set
    if not given:
        raise InvalidRequest("Name a title or waitSeconds.", field="title")
    if "title" in given:
        title = body.title or ""
        await in_thread(settings.rename, user=request.auth, session_id=session_id, title=title)
    if "waitSeconds" in given:
        wait_s = body.waitSeconds
        await in_thread(waiting.set_wait, user=request.auth, session_id=session_id, wait_s=wait_s)
    session = await in_thread(queries.read_session, request.auth, session_id)
    return JsonAnswer({"ok": True, "session": session})


@router.delete(
    "/sessions/{uuid:session_id}",
    response=command(Done),
    summary="Archive a session; its log stays, unless it is deleted permanently",
)
async def archive_session(
    request: Authorised, session_id: UUID, query: Query[DeleteQuery]
) -> JsonAnswer[Done]:
    """Take the session off the list and close it; permanently: stop its agent, delete all of it."""
    if query.permanently:
        await erasing.erase(user=request.auth, session_id=session_id, source=request.source)
    else:
        asked = {"user": request.auth, "session_id": session_id, "source": request.source}
        await in_thread(partial(settings.archive, **asked))
    return JsonAnswer(DONE)


@router.post(
    "/sessions/{uuid:session_id}/restore",
    response=command(Changed),
    summary="Put an archived session back into the list",
)
async def restore_session(request: Authorised, session_id: UUID) -> JsonAnswer[Changed]:
    """Take the session out of the archive; its agent starts with the next prompt."""
    asked = {"user": request.auth, "session_id": session_id, "source": request.source}
    await in_thread(partial(settings.restore, **asked))
    session = await in_thread(queries.read_session, request.auth, session_id)
    return JsonAnswer({"ok": True, "session": session})


@router.post(
    "/sessions/{uuid:session_id}/name",
    response=command(Changed),
    summary="Name a session from its first prompt and answer",
)
async def name_session(request: Authorised, session_id: UUID) -> JsonAnswer[Changed]:
    """Give it a title of at most 60 characters without a model; the log tells it as any rename."""
    await in_thread(settings.name_by_content, user=request.auth, session_id=session_id)
    session = await in_thread(queries.read_session, request.auth, session_id)
    return JsonAnswer({"ok": True, "session": session})


@router.get(
    "/sessions/{uuid:session_id}/snapshot",
    response=reading(PersonalSnapshot),
    summary="The session folded at its head",
)
async def read_snapshot(request: Authorised, session_id: UUID) -> EncodedAnswer[PersonalSnapshot]:
    """The session, folded for a client: docs/reference/events.md#the-snapshot."""
    return await reads.answer(request.auth, queries.session_snapshot, request.auth, session_id)


@router.get(
    "/sessions/{uuid:session_id}/messages",
    response=reading(MessagePage),
    summary="Older messages of the transcript",
)
async def list_messages(
    request: Authorised, session_id: UUID, query: Query[MessagesQuery]
) -> EncodedAnswer[MessagePage]:
    """The last finished messages before a seq, oldest first."""
    return await reads.answer(
        request.auth,
        queries.message_page,
        request.auth,
        session_id,
        before=query.before,
        limit=_limit(query.limit),
    )


@router.get(
    "/sessions/{uuid:session_id}/events",
    response=reading(EventPage),
    summary="Raw events of the log",
)
async def list_events(
    request: Authorised, session_id: UUID, query: Query[EventsQuery]
) -> EncodedAnswer[EventPage]:
    """Events after a seq, ascending: a client fills a skipped range with them."""
    return await reads.answer(
        request.auth,
        queries.event_page,
        request.auth,
        session_id,
        after=query.after,
        upto=query.upto,
        limit=_limit(query.limit),
    )


@router.get(
    "/sessions/{uuid:session_id}/blocks/{str:block_id}",
    response=reading(BlockPage),
    summary="A long text, piece by piece",
)
async def read_block(
    request: Authorised, session_id: UUID, block_id: str, query: Query[BlockQuery]
) -> EncodedAnswer[BlockPage]:
    """One piece of a text that a snapshot or a page has cut."""
    return await reads.answer(
        request.auth,
        blocks.block_page,
        request.auth,
        session_id,
        block_id,
        part=query.part,
        start=query.start,
    )


@router.get("/sessions/{uuid:session_id}/export", summary="The transcript as a file")
async def export_session(
    request: Authorised, session_id: UUID, query: Query[ExportQuery]
) -> HttpResponseBase:
    """The transcript up to the head at the time of asking, streamed."""
    await reads.hold_place(request.auth, visits.exports)
    await reads.hold_place(request.auth)
    session = await in_thread(Session.objects.find, request.auth, session_id)
    told = partial(record_chat, format=query.format, head=session.head_seq)
    await in_thread(told, Act.SESSION_EXPORTED, request.auth, session_id, request.source)
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
