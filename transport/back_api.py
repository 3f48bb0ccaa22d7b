"""The commands to go back: rewind, fork (docs/reference/commands.md#rewind)."""

from __future__ import annotations

from typing import Literal

from ninja import Router
from typing_extensions import TypedDict

from sessions.control.back import rewind as rewinds
from sessions.control.back.fork import fork as forked
from sessions.core.clean import clean_text
from sessions.core.errors import InvalidRequest
from sessions.web.answers import JsonAnswer, command
from sessions.web.authorised import Authorised
from transport import bodies
from transport.rows import pool

router = Router(tags=["commands"])

# Of many files that were left alone, these are named.
MAX_NAMED = 100


class Rewound(TypedDict):
    """The outcome of going back. files: so many were changed; left: those that were left alone.

    seq: of the last event; null where all was so already.
    """

    ok: Literal[True]
    files: int
    left: list[str]
    seq: int | None


class Forked(TypedDict):
    """The chat that a fork has begun."""

    ok: Literal[True]
    sessionId: str
    duplicate: bool


@router.post("/rewind", response=command(Rewound), summary="Go back to a prompt")
async def rewind(request: Authorised, body: bodies.Rewind) -> JsonAnswer[Rewound]:
    """Restore files, take messages back, or both; 409 `turn_running` while the agent works."""
    if not (body.files or body.chat):
        raise InvalidRequest("files, chat or both must be true.", fields={"files": "or chat"})
    outcome = await rewinds.rewind(
        user=request.auth,
        session_id=body.session_id,
        to=body.to,
        files=body.files,
        chat=body.chat,
        source=request.source,
    )
    left = [clean_text(path) for path in outcome.left[:MAX_NAMED]]
    return JsonAnswer({"ok": True, "files": outcome.files, "left": left, "seq": outcome.seq})


@router.post("/fork", response=command(Forked), summary="Continue a chat in another one")
async def fork(request: Authorised, body: bodies.Fork) -> JsonAnswer[Forked]:
    """Begin a chat with the turns that had ended at seq `at`, in its folder or in a worktree."""
    made = await pool.run(
        forked,
        user=request.auth,
        session_id=body.session_id,
        at=body.at,
        client_msg_id=body.client_msg_id,
        worktree=body.worktree.wanted if body.worktree else None,
    )
    answer: Forked = {"ok": True, "sessionId": str(made.session_id), "duplicate": made.duplicate}
    return JsonAnswer(answer)
