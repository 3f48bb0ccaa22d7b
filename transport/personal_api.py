"""The routes of drafts, read marks and pins: docs/reference/http-api.md.

They stand here because a change is told to the person's other streams.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal
from uuid import UUID

from ninja import Router
from typing_extensions import TypedDict

from sessions.models import Personal
from sessions.personal import rows
from sessions.personal.shapes import Personal as Shown
from sessions.web.answers import JsonAnswer, command
from sessions.web.authorised import Authorised
from transport import bodies
from transport.live import node
from transport.rows import pool

router = Router(tags=["personal"])


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
