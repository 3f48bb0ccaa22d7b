"""The commands about prompts that wait: withdraw, edit, reorder (docs/reference/commands.md)."""

from __future__ import annotations

from typing import Literal

from ninja import Router
from typing_extensions import TypedDict

from sessions.control import queue
from sessions.web.answers import DONE, Done, JsonAnswer, command
from sessions.web.authorised import Authorised
from transport import bodies
from transport.rows import pool

router = Router(tags=["commands"])


class Edited(TypedDict):
    """The version of a prompt's text after an edit."""

    ok: Literal[True]
    version: int


@router.post("/unqueue", response=command(Done), summary="Take a waiting prompt back")
async def unqueue(request: Authorised, body: bodies.OnePrompt) -> JsonAnswer[Done]:
    """Withdraw a prompt that waits; 409 `dispatched` once it does not."""
    await pool.run(
        queue.withdraw,
        user=request.auth,
        session_id=body.session_id,
        client_msg_id=body.client_msg_id,
    )
    return JsonAnswer(DONE)


@router.post("/edit", response=command(Edited), summary="Edit a waiting prompt")
async def edit(request: Authorised, body: bodies.Edit) -> JsonAnswer[Edited]:
    """Give a prompt that waits another text; 409 `dispatched` or `version_conflict`."""
    version = await pool.run(
        queue.edit,
        user=request.auth,
        session_id=body.session_id,
        client_msg_id=body.client_msg_id,
        text=body.text,
        version=body.version,
    )
    return JsonAnswer({"ok": True, "version": version})


@router.post("/reorder", response=command(Done), summary="Let waiting prompts run in another order")
async def reorder(request: Authorised, body: bodies.Reorder) -> JsonAnswer[Done]:
    """Reorder prompts that wait; 409 `dispatched` when one of them does not."""
    await pool.run(
        queue.reorder,
        user=request.auth,
        session_id=body.session_id,
        client_msg_ids=body.client_msg_ids,
    )
    return JsonAnswer(DONE)
