"""The commands: `POST /api/chat/<name>`, as docs/reference/commands.md lists them.

A command changes rows and then pokes the owner of the stream, whichever process that is.
"""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Router
from ninja.responses import Status
from pydantic import ValidationError

from sessions.access.auth import signed_in_or_beacon
from sessions.control import interrupt as interrupts
from sessions.control import settings
from sessions.control.permissions import answer_permission
from sessions.control.send import send_message
from sessions.core import metrics
from sessions.core.conf import chat
from sessions.core.errors import ChatError, InvalidRequest, UnknownSession
from sessions.eventlog import store
from sessions.models import Session
from transport import bodies
from transport.errors import ConnectionRequired, TooManyWatches, UnknownConnection
from transport.live import node
from transport.live.catchup import Action, plan
from transport.models import Connection, Watch
from transport.rows import connections, orders, pool, probes, progress

router = Router(tags=["commands"])

Answer = dict[str, Any]


@router.post("/send", response={202: Answer}, summary="Send a prompt")
async def send(request: HttpRequest, body: bodies.Send) -> Status[Answer]:
    """Admit a prompt exactly once; the answer is its receipt."""
    connection = await _named_connection(request)
    try:
        receipt = await pool.run(
            send_message,
            user=_user(request),
            client_msg_id=body.client_msg_id,
            session_id=body.session_id,
            text=body.text,
            agent=body.agent,
            mode=body.mode,
            cwd=body.cwd,
        )
    except ChatError as exc:
        metrics.SENDS.labels(result=exc.code).inc()
        raise
    metrics.SENDS.labels(result="duplicate" if receipt.duplicate else "accepted").inc()
    if connection is not None:
        await _watch_after_send(connection, receipt.session_id)
    told: Answer = {
        "ok": True,
        "accepted": True,
        "clientMsgId": receipt.client_msg_id,
        "sessionId": str(receipt.session_id),
        "seq": receipt.seq,
        "duplicate": receipt.duplicate,
    }
    return Status(202, told)


@router.post("/interrupt", response={202: Answer}, summary="Stop the running turn")
async def interrupt(request: HttpRequest, body: bodies.Interrupt) -> Status[Answer]:
    """Stop the running turn; text is a prompt to go on with."""
    outcome = await interrupts.interrupt(
        user=_user(request),
        session_id=body.session_id,
        watch=node.current().head_watch,
        turn_id=body.turn_id,
        text=body.text,
        client_msg_id=body.client_msg_id,
    )
    return Status(202, _interrupt_answer(outcome))


@router.post("/stop", response={202: Answer}, summary="Stop the turn and the agent's process")
async def stop(request: HttpRequest, body: bodies.OneSession) -> Status[Answer]:
    """Stop the running turn and end the agent's process."""
    outcome = await interrupts.interrupt(
        user=_user(request),
        session_id=body.session_id,
        watch=node.current().head_watch,
        stop=True,
    )
    return Status(202, _interrupt_answer(outcome))


@router.post("/permission", response=Answer, summary="Answer a permission request")
async def permission(request: HttpRequest, body: bodies.Permission) -> Answer:
    """Resolve a permission request; the first answer wins."""
    await pool.run(
        answer_permission,
        user=_user(request),
        session_id=body.session_id,
        perm_id=body.perm_id,
        option_id=body.option_id,
    )
    return {"ok": True}


@router.post("/mode", response=Answer, summary="Change the agent's mode")
async def mode(request: HttpRequest, body: bodies.Mode) -> Answer:
    """Ask the agent for another mode."""
    await pool.run(
        settings.set_mode, user=_user(request), session_id=body.session_id, mode=body.mode
    )
    return {"ok": True}


@router.post("/close", response={202: Answer}, summary="Let a session finish and end")
async def close(request: HttpRequest, body: bodies.OneSession) -> Status[Answer]:
    """Tell the agent to finish; the session ends."""
    await pool.run(settings.close, user=_user(request), session_id=body.session_id)
    return Status(202, {"ok": True})


@router.post("/watch", response=Answer, summary="Follow a session on this stream")
async def watch(request: HttpRequest, body: bodies.Place) -> Answer:
    """Follow a session; its catch-up comes over the stream."""
    connection = await _required_connection(request)
    await pool.run(orders.order, connection, body.session_id, Watch.Order.WATCH, cursor=body.cursor)
    await _watchers_changed(connection, [body.session_id])
    return {"ok": True, "head": await pool.run(store.get_head_seq, body.session_id)}


@router.post("/unwatch", response=Answer, summary="Stop following a session")
async def unwatch(request: HttpRequest, body: bodies.OneSession) -> Answer:
    """Stop following a session; one that is not watched is fine."""
    connection = await _required_connection(request)
    await pool.run(_owned, _user(request), [body.session_id])
    if await pool.run(orders.unwatch, connection, body.session_id):
        await _watchers_changed(connection, [body.session_id])
    return {"ok": True}


@router.post("/switch", response=Answer, summary="Show another session on this stream")
async def switch(request: HttpRequest, body: bodies.Switch) -> Answer:
    """Watch a session and leave the one shown before; other watches stay."""
    connection = await _required_connection(request)
    changed = await pool.run(orders.switch, connection, body.session_id)
    await _watchers_changed(connection, changed)
    return {"ok": True}


@router.post(
    "/suspend",
    response={204: None},
    auth=signed_in_or_beacon,
    summary="Tell that nobody looks now",
)
async def suspend(request: HttpRequest) -> Status[None]:
    """Note that the page is in the background; also sent as a beacon, without headers."""
    body = _beacon(request)
    named = request.GET.get("connection") or body.connection_id
    connection = await _required_connection(request, named)
    cursors = body.cursors()
    await pool.run(progress.suspend, connection, cursors)
    node.current().refresh_presence(cursors)
    return Status(204, None)


@router.post("/resume", response=Answer, summary="Tell that somebody looks again")
async def resume(request: HttpRequest, body: bodies.Places) -> Answer:
    """Bring sessions to the foreground; their catch-up comes over the stream."""
    return await _catch_up(request, body, Watch.Order.RESUME)


@router.post("/reconnect", response=Answer, summary="Catch sessions up on this stream")
async def reconnect(request: HttpRequest, body: bodies.Places) -> Answer:
    """Catch sessions up from the cursors given; the answer tells how."""
    return await _catch_up(request, body, Watch.Order.RECONNECT)


@router.post("/ack", response={204: None}, summary="Tell what the client has applied")
async def ack(request: HttpRequest, body: bodies.Places) -> Status[None]:
    """Record the cursors that a client has applied."""
    connection = await _required_connection(request)
    await pool.run(progress.acknowledge, connection, body.cursors())
    return Status(204, None)


@router.post("/probe", response={202: Answer}, summary="Ask the stream for a sign of life")
async def probe(request: HttpRequest, body: bodies.Probe) -> Status[Answer]:
    """Send a nonce back over the stream."""
    connection = await _required_connection(request)
    await pool.run(probes.add, connection, body.nonce)
    await node.current().poke(connection.pk, connection.process)
    return Status(202, {"ok": True})


def _user(request: HttpRequest) -> Any:
    return request.auth  # type: ignore[attr-defined]  # ninja sets it


def _interrupt_answer(outcome: interrupts.InterruptOutcome) -> Answer:
    metrics.INTERRUPTS.labels(result=outcome.code or "done").inc()
    answer: Answer = {"ok": True, "interrupted": outcome.interrupted}
    if outcome.code is not None:
        answer["code"] = outcome.code
    return answer


async def _required_connection(request: HttpRequest, named: str | None = None) -> Connection:
    named = request.headers.get("X-Connection-ID") or named
    if not named:
        raise ConnectionRequired
    try:
        connection_id = UUID(named)
    except ValueError as exc:
        raise UnknownConnection from exc
    return await pool.run(connections.require, connection_id, _user(request))


async def _named_connection(request: HttpRequest) -> Connection | None:
    """Return the stream that a request names; None for a script that has none."""
    if not request.headers.get("X-Connection-ID"):
        return None
    return await _required_connection(request)


async def _watch_after_send(connection: Connection, session_id: UUID) -> None:
    """Follow the prompt's session. The receipt stands, whatever comes of this.

    From where the stream is, if it has not heard of an unwatch yet: else a snapshot would jump.
    """
    try:
        ordered = await pool.run(
            orders.order, connection, session_id, Watch.Order.RESYNC, only_new=True
        )
    except (UnknownConnection, UnknownSession, TooManyWatches):
        return
    if ordered:
        await _watchers_changed(connection, [session_id])


async def _watchers_changed(connection: Connection, session_ids: list[UUID]) -> None:
    await node.current().poke(connection.pk, connection.process)
    node.current().refresh_presence(session_ids)


async def _catch_up(request: HttpRequest, body: bodies.Places, kind: Watch.Order) -> Answer:
    connection = await _required_connection(request)
    cursors = body.cursors()
    told = [
        await pool.run(_order_one, connection, session_id, kind, cursor)
        for session_id, cursor in cursors.items()
    ]
    await _watchers_changed(connection, list(cursors))
    return {"ok": True, "sessions": told}


def _order_one(
    connection: Connection, session_id: UUID, kind: Watch.Order, cursor: int | None
) -> Answer:
    """Order one catch-up and tell what it will be."""
    try:
        orders.order(connection, session_id, kind, cursor=cursor)
        edge = store.boundary(session_id)
    except (UnknownSession, TooManyWatches):
        return {"sessionId": str(session_id), "head": 0, "gap": 0, "action": "rejected"}
    chosen = plan(
        cursor=cursor, head=edge.head, max_gap=chat.MAX_REPLAY_GAP, pruned_to=edge.pruned_to
    )
    actions_told = {Action.REPLAY: "replay", Action.SKIP: "skip", Action.RESET: "skip"}
    return {
        "sessionId": str(session_id),
        "head": edge.head,
        "gap": chosen.gap,
        "action": actions_told.get(chosen.action, "none"),
    }


def _owned(user: Any, session_ids: list[UUID]) -> None:
    for session_id in session_ids:
        Session.objects.find(user, session_id)


def _beacon(request: HttpRequest) -> bodies.Beacon:
    """Parse a suspend: JSON under any content type, or a form's field `body`."""
    kind = request.content_type or ""
    try:
        is_form = kind in {"application/x-www-form-urlencoded", "multipart/form-data"}
        raw = request.POST.get("body", "") if is_form else request.body
        return bodies.Beacon.model_validate(json.loads(raw))
    except ValidationError as exc:
        fields = {_field(item["loc"]): item["msg"] for item in exc.errors()}
        raise InvalidRequest(f"Not valid: {', '.join(fields)}.", fields=fields) from exc
    except (ValueError, RecursionError) as exc:
        raise InvalidRequest("The body is not JSON.") from exc


def _field(loc: tuple[int | str, ...]) -> str:
    """Return the last name of an error's place."""
    return next((part for part in reversed(loc) if isinstance(part, str)), "body")
