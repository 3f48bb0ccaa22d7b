"""The routes of drafts, comments, read marks and pins: docs/reference/http-api.md.

They stand here because a change is told to the person's other streams.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal
from uuid import UUID

from ninja import Path, Router
from typing_extensions import TypedDict

from sessions.personal import comments, rows
from sessions.personal.shapes import LineComment
from sessions.personal.shapes import Personal as Shown
from sessions.personal_models import Personal
from sessions.web.answers import JsonAnswer, command, reading
from sessions.web.authorised import Authorised
from transport import bodies
from transport.live import node
from transport.rows import pool

router = Router(tags=["personal"])


CommentId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class Comments(TypedDict):
    """The comments of a person that wait in a session."""

    ok: Literal[True]
    version: int
    comments: list[LineComment]


class ChangedPersonal(TypedDict):
    """The person's own things of a session, after a change."""

    ok: Literal[True]
    personal: Shown


@router.put(
    "/sessions/{uuid:session_id}/draft", response=command(ChangedPersonal), summary="Keep a draft"
)
async def put_draft(
    request: Authorised, session_id: UUID, body: bodies.Draft
) -> JsonAnswer[ChangedPersonal]:
    """Keep the text that is being written; 409 `version_conflict` where another device wrote."""
    wish = {"text": body.text, "version": body.version}
    return await _change(rows.put_draft, request, session_id, **wish)


@router.get(
    "/sessions/{uuid:session_id}/comments", response=reading(Comments), summary="List the comments"
)
async def list_comments(request: Authorised, session_id: UUID) -> JsonAnswer[Comments]:
    """Return the person's comments on lines that wait to be sent."""
    version, found = await pool.run(comments.of_person, request.auth, session_id)
    return JsonAnswer({"ok": True, "version": version, "comments": found})


@router.put(
    "/sessions/{uuid:session_id}/comments/{comment_id}",
    response=command(ChangedPersonal),
    summary="Keep a comment",
)
async def keep_comment(
    request: Authorised, session_id: UUID, comment_id: CommentId, body: bodies.LineComment
) -> JsonAnswer[ChangedPersonal]:
    """Keep a comment on a line under an id of the writer's; the same id replaces it."""
    comment: LineComment = {
        "id": comment_id,
        "path": body.path,
        "line": body.line,
        "isOld": body.is_old,
        "quote": body.quote,
        "text": body.text,
    }
    return await _change(comments.keep, request, session_id, comment=comment)


@router.delete(
    "/sessions/{uuid:session_id}/comments/{comment_id}",
    response=command(ChangedPersonal),
    summary="Remove a comment",
)
async def drop_comment(
    request: Authorised, session_id: UUID, comment_id: CommentId
) -> JsonAnswer[ChangedPersonal]:
    """Remove a comment; one that is gone stays gone."""
    return await _change(comments.drop, request, session_id, name=comment_id)


@router.put(
    "/sessions/{uuid:session_id}/read", response=command(ChangedPersonal), summary="Mark as read"
)
async def mark_read(
    request: Authorised, session_id: UUID, body: bodies.Read
) -> JsonAnswer[ChangedPersonal]:
    """Note the last seq that was seen; a lower one changes nothing."""
    return await _change(rows.mark_read, request, session_id, seq=body.seq)


@router.put(
    "/sessions/{uuid:session_id}/pin", response=command(ChangedPersonal), summary="Pin a session"
)
async def pin(
    request: Authorised, session_id: UUID, body: bodies.Pin | None = None
) -> JsonAnswer[ChangedPersonal]:
    """Put the session before the others, or back with `pinned` false."""
    is_pinned = body is None or body.pinned
    return await _change(rows.pin, request, session_id, is_pinned=is_pinned)


@router.delete(
    "/sessions/{uuid:session_id}/pin", response=command(ChangedPersonal), summary="Unpin a session"
)
async def unpin(request: Authorised, session_id: UUID) -> JsonAnswer[ChangedPersonal]:
    """Put the session back among the others."""
    return await _change(rows.pin, request, session_id, is_pinned=False)


async def _change(
    change: Callable[..., Personal], request: Authorised, session_id: UUID, **wish: Any
) -> JsonAnswer[ChangedPersonal]:
    row = await pool.run(change, user=request.auth, session_id=session_id, **wish)
    node.current().personal_changed()
    # A long draft is not sent back to the device that has just written it.
    told: Shown = {**rows.shown(session_id, row), "draft": None}
    return JsonAnswer({"ok": True, "personal": told})
