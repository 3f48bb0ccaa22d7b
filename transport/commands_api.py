"""The commands: `POST /api/chat/<name>`, as docs/reference/commands.md lists them.

A command changes rows and then pokes the owner of the stream, whichever process that is.
"""

from __future__ import annotations

import json
from typing import Any, Literal, NotRequired
from uuid import UUID

from django.http import HttpRequest
from ninja import Router
from ninja.responses import Status
from pydantic import ValidationError
from typing_extensions import TypedDict

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
from sessions.web.answers import Done, JsonAnswer, command
from transport import bodies
from transport.errors import ConnectionRequired, TooManyWatches, UnknownConnection
from transport.live import node
from transport.live.catchup import Action, plan
from transport.models import Connection, Watch
from transport.rows import connections, orders, pool, probes, progress

router = Router(tags=["commands"])


class Receipt(TypedDict):
    """The receipt of a prompt: the log has it at seq."""

    ok: Literal[True]
    accepted: Literal[True]
    clientMsgId: str
    sessionId: str
    seq: int
    duplicate: bool


class Interrupted(TypedDict):
    """The outcome of an interrupt; code: the reason for which nothing was interrupted."""

    ok: Literal[True]
    interrupted: bool
    code: NotRequired[str]


class Watched(TypedDict):
    """The head of a session that the stream follows now."""

    ok: Literal[True]
    head: int


class CatchUp(TypedDict):
    """One session's catch-up: none, replay, skip or rejected."""

    sessionId: str
    head: int
    gap: int
    action: str


class CatchUps(TypedDict):
    """The catch-up of each session that was named."""

    ok: Literal[True]
    sessions: list[CatchUp]


DONE: Done = {"ok": True}


@router.post("/send", response=command(Receipt, status=202), summary="Send a prompt")
async def send(request: HttpRequest, body: bodies.Send) -> JsonAnswer[Receipt]:
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
    answer: Receipt = {
        "ok": True,
        "accepted": True,
        "clientMsgId": receipt.client_msg_id,
        "sessionId": str(receipt.session_id),
        "seq": receipt.seq,
        "duplicate": receipt.duplicate,
    }
    return JsonAnswer(answer, status=202)


@router.post(
    "/interrupt", response=command(Interrupted, status=202), summary="Stop the running turn"
)
async def interrupt(request: HttpRequest, body: bodies.Interrupt) -> JsonAnswer[Interrupted]:
    """Stop the running turn; text is a prompt to go on with."""
    outcome = await interrupts.interrupt(
        user=_user(request),
        session_id=body.session_id,
        watch=node.current().head_watch,
        turn_id=body.turn_id,
        text=body.text,
        client_msg_id=body.client_msg_id,
    )
    return JsonAnswer(_interrupt_answer(outcome), status=202)


@router.post(
    "/stop",
    response=command(Interrupted, status=202),
    summary="Stop the turn and the agent's process",
)
async def stop(request: HttpRequest, body: bodies.OneSession) -> JsonAnswer[Interrupted]:
    """Stop the running turn and end the agent's process."""
    outcome = await interrupts.interrupt(
        user=_user(request),
        session_id=body.session_id,
        watch=node.current().head_watch,
        stop=True,
    )
    return JsonAnswer(_interrupt_answer(outcome), status=202)


@router.post("/permission", response=command(Done), summary="Answer a permission request")
async def permission(request: HttpRequest, body: bodies.Permission) -> JsonAnswer[Done]:
    """Resolve a permission request; the first answer wins."""
    await pool.run(
        answer_permission,
        user=_user(request),
        session_id=body.session_id,
        perm_id=body.perm_id,
        option_id=body.option_id,
    )
    return JsonAnswer(DONE)


@router.post("/mode", response=command(Done), summary="Change the agent's mode")
async def mode(request: HttpRequest, body: bodies.Mode) -> JsonAnswer[Done]:
    """Ask the agent for another mode."""
    await pool.run(
        settings.set_mode, user=_user(request), session_id=body.session_id, mode=body.mode
    )
    return JsonAnswer(DONE)


@router.post("/close", response=command(Done, status=202), summary="Let a session finish and end")
async def close(request: HttpRequest, body: bodies.OneSession) -> JsonAnswer[Done]:
    """Tell the agent to finish; the session ends."""
    await pool.run(settings.close, user=_user(request), session_id=body.session_id)
    return JsonAnswer(DONE, status=202)


@router.post("/watch", response=command(Watched), summary="Follow a session on this stream")
async def watch(request: HttpRequest, body: bodies.Place) -> JsonAnswer[Watched]:
    """Follow a session; its catch-up comes over the stream."""
    connection = await _required_connection(request)
    await pool.run(orders.order, connection, body.session_id, Watch.Order.WATCH, cursor=body.cursor)
    await _watchers_changed(connection, [body.session_id])
    head = await pool.run(store.get_head_seq, body.session_id)
    return JsonAnswer({"ok": True, "head": head})


@router.post("/unwatch", response=command(Done), summary="Stop following a session")
async def unwatch(request: HttpRequest, body: bodies.OneSession) -> JsonAnswer[Done]:
    """Stop following a session; one that is not watched is fine."""
    connection = await _required_connection(request)
    await pool.run(_owned, _user(request), [body.session_id])
    if await pool.run(orders.unwatch, connection, body.session_id):
        await _watchers_changed(connection, [body.session_id])
    return JsonAnswer(DONE)


@router.post("/switch", response=command(Done), summary="Show another session on this stream")
async def switch(request: HttpRequest, body: bodies.Switch) -> JsonAnswer[Done]:
    """Watch a session and leave the one shown before; other watches stay."""
    connection = await _required_connection(request)
    changed = await pool.run(orders.switch, connection, body.session_id)
    await _watchers_changed(connection, changed)
    return JsonAnswer(DONE)


@router.post(
    "/suspend",
    response=command(None, status=204),
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


@router.post("/resume", response=command(CatchUps), summary="Tell that somebody looks again")
async def resume(request: HttpRequest, body: bodies.Places) -> JsonAnswer[CatchUps]:
    """Bring sessions to the foreground; their catch-up comes over the stream."""
    return await _catch_up(request, body, Watch.Order.RESUME)


@router.post("/reconnect", response=command(CatchUps), summary="Catch sessions up on this stream")
async def reconnect(request: HttpRequest, body: bodies.Places) -> JsonAnswer[CatchUps]:
    """Catch sessions up from the cursors given; the answer tells how."""
    return await _catch_up(request, body, Watch.Order.RECONNECT)


@router.post("/ack", response=command(None, status=204), summary="Tell what the client has applied")
async def ack(request: HttpRequest, body: bodies.Places) -> Status[None]:
    """Record the cursors that a client has applied."""
    connection = await _required_connection(request)
    await pool.run(progress.acknowledge, connection, body.cursors())
    return Status(204, None)


@router.post(
    "/probe", response=command(Done, status=202), summary="Ask the stream for a sign of life"
)
async def probe(request: HttpRequest, body: bodies.Probe) -> JsonAnswer[Done]:
    """Send a nonce back over the stream."""
    connection = await _required_connection(request)
    await pool.run(probes.add, connection, body.nonce)
    await node.current().poke(connection.pk, connection.process)
    return JsonAnswer(DONE, status=202)


def _user(request: HttpRequest) -> Any:
    return request.auth  # type: ignore[attr-defined]  # ninja sets it


def _interrupt_answer(outcome: interrupts.InterruptOutcome) -> Interrupted:
    metrics.INTERRUPTS.labels(result=outcome.code or "done").inc()
    answer: Interrupted = {"ok": True, "interrupted": outcome.interrupted}
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


async def _catch_up(
    request: HttpRequest, body: bodies.Places, kind: Watch.Order
) -> JsonAnswer[CatchUps]:
    connection = await _required_connection(request)
    cursors = body.cursors()
    told = [
        await pool.run(_order_one, connection, session_id, kind, cursor)
        for session_id, cursor in cursors.items()
    ]
    await _watchers_changed(connection, list(cursors))
    return JsonAnswer({"ok": True, "sessions": told})


def _order_one(
    connection: Connection, session_id: UUID, kind: Watch.Order, cursor: int | None
) -> CatchUp:
    """Order one catch-up and return its kind."""
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
