"""The commands: `POST /api/chat/<name>`, as docs/reference/commands.md lists them.

A command changes rows and then pokes the owner of the stream, whichever process that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, Literal, NotRequired
from uuid import UUID

from ninja import Router
from ninja.responses import Status
from pydantic import ValidationError
from typing_extensions import TypedDict

from sessions.access.auth import signed_in_or_beacon, signed_in_to_read
from sessions.control import interrupt as interrupts
from sessions.control import settings
from sessions.control.admission import together
from sessions.control.admission.sent import Sent
from sessions.control.admission.standing import Receipt
from sessions.control.permissions import answer_permission
from sessions.control.questions import answer_question
from sessions.control.send import send as send_alone
from sessions.core import metrics
from sessions.core.conf import chat
from sessions.core.errors import ChatError, UnknownSession
from sessions.core.source import Source
from sessions.core.tasks import Together
from sessions.eventlog import store
from sessions.limits import json_body
from sessions.models import Session
from sessions.web.answers import DONE, Done, JsonAnswer, command
from sessions.web.authorised import Authorised
from sessions.web.validation import invalid_request
from transport import bodies
from transport.errors import ConnectionRequired, TooManyWatches, UnknownConnection
from transport.live import node
from transport.live.catchup import Action, plan
from transport.models import Connection, Watch
from transport.rows import connections, orders, pool, probes, progress

router = Router(tags=["commands"])


async def _admit(prompts: Sequence[Sent]) -> list[Receipt | Exception]:
    return await pool.run(together.send_all, prompts)


_admissions: Final = Together(_admit, most=together.MOST)


class ReceiptAnswer(TypedDict):
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


@router.post("/send", response=command(ReceiptAnswer, status=202), summary="Send a prompt")
async def send(request: Authorised, body: bodies.Send) -> JsonAnswer[ReceiptAnswer]:
    """Admit a prompt exactly once; the answer is its receipt."""
    connection = await _named_connection(request)
    try:
        receipt = await _admitted(body.sent_by(request.auth))
    except ChatError as exc:
        metrics.SENDS.labels(result=exc.code).inc()
        raise
    metrics.SENDS.labels(result="duplicate" if receipt.duplicate else "accepted").inc()
    if connection is not None:
        await _watch_after_send(connection, receipt.session_id)
    answer: ReceiptAnswer = {
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
async def interrupt(request: Authorised, body: bodies.Interrupt) -> JsonAnswer[Interrupted]:
    """Stop the running turn; text is a prompt to go on with."""
    outcome = await interrupts.interrupt(
        user=request.auth,
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
async def stop(request: Authorised, body: bodies.OneSession) -> JsonAnswer[Interrupted]:
    """Stop the running turn and end the agent's process."""
    outcome = await interrupts.interrupt(
        user=request.auth,
        session_id=body.session_id,
        watch=node.current().head_watch,
        stop=True,
    )
    return JsonAnswer(_interrupt_answer(outcome), status=202)


@router.post("/permission", response=command(Done), summary="Answer a permission request")
async def permission(request: Authorised, body: bodies.Permission) -> JsonAnswer[Done]:
    """Resolve a permission request; the first answer wins."""
    await pool.run(
        answer_permission,
        user=request.auth,
        session_id=body.session_id,
        perm_id=body.perm_id,
        option_id=body.option_id,
        digest=body.digest,
        message=body.message or "",
        source=_source(request),
    )
    return JsonAnswer(DONE)


@router.post("/answer", response=command(Done), summary="Answer a question of the agent")
async def answer(request: Authorised, body: bodies.Answer) -> JsonAnswer[Done]:
    """Answer a question; the first answer wins."""
    await pool.run(
        answer_question,
        user=request.auth,
        session_id=body.session_id,
        question_id=body.question_id,
        action=body.action,
        values=body.values,
        digest=body.digest,
        source=_source(request),
    )
    return JsonAnswer(DONE)


@router.post("/option", response=command(Done), summary="Change a setting of the agent")
async def option(request: Authorised, body: bodies.Option) -> JsonAnswer[Done]:
    """Ask the agent for another value of a setting."""
    await pool.run(
        settings.set_option,
        user=request.auth,
        session_id=body.session_id,
        option_id=body.option_id,
        value=body.value,
        source=_source(request),
    )
    return JsonAnswer(DONE)


@router.post("/mode", response=command(Done), summary="Change the agent's mode")
async def mode(request: Authorised, body: bodies.Mode) -> JsonAnswer[Done]:
    """Ask the agent for another mode."""
    await pool.run(
        settings.set_mode,
        user=request.auth,
        session_id=body.session_id,
        mode=body.mode,
        source=_source(request),
    )
    return JsonAnswer(DONE)


@router.post("/close", response=command(Done, status=202), summary="Let a session finish and end")
async def close(request: Authorised, body: bodies.OneSession) -> JsonAnswer[Done]:
    """Tell the agent to finish; the session ends."""
    await pool.run(settings.close, user=request.auth, session_id=body.session_id)
    return JsonAnswer(DONE, status=202)


@router.post(
    "/watch",
    auth=signed_in_to_read,
    response=command(Watched),
    summary="Follow a session on this stream",
)
async def watch(request: Authorised, body: bodies.Place) -> JsonAnswer[Watched]:
    """Follow a session; its catch-up comes over the stream."""
    connection = await _required_connection(request)
    await pool.run(orders.order, connection, body.session_id, Watch.Order.WATCH, cursor=body.cursor)
    await _watchers_changed(connection, [body.session_id])
    head = await pool.run(store.get_head_seq, body.session_id)
    return JsonAnswer({"ok": True, "head": head})


@router.post(
    "/unwatch", auth=signed_in_to_read, response=command(Done), summary="Stop following a session"
)
async def unwatch(request: Authorised, body: bodies.OneSession) -> JsonAnswer[Done]:
    """Stop following a session; one that is not watched is fine."""
    connection = await _required_connection(request)
    await pool.run(_owned, request.auth, [body.session_id])
    if await pool.run(orders.unwatch, connection, body.session_id):
        await _watchers_changed(connection, [body.session_id])
    return JsonAnswer(DONE)


@router.post(
    "/switch",
    auth=signed_in_to_read,
    response=command(Done),
    summary="Show another session on this stream",
)
async def switch(request: Authorised, body: bodies.Switch) -> JsonAnswer[Done]:
    """Watch a session and leave the one shown before; other watches stay."""
    connection = await _required_connection(request)
    changed = await pool.run(orders.switch, connection, body.session_id)
    await _watchers_changed(connection, changed)
    return JsonAnswer(DONE)


@router.post(
    "/suspend",
    response=command(None, status=204),
    auth=signed_in_or_beacon,
    summary="Tell that the page is hidden",
)
async def suspend(request: Authorised) -> Status[None]:
    """Note that the page is in the background; also sent as a beacon, without headers."""
    body = _beacon(request)
    named = request.GET.get("connection") or body.connection_id
    connection = await _required_connection(request, named)
    cursors = body.cursors()
    await pool.run(progress.suspend, connection, cursors)
    node.current().refresh_presence(cursors)
    return Status(204, None)


@router.post(
    "/resume",
    auth=signed_in_to_read,
    response=command(CatchUps),
    summary="Tell that the page is visible again",
)
async def resume(request: Authorised, body: bodies.Places) -> JsonAnswer[CatchUps]:
    """Bring sessions to the foreground; their catch-up comes over the stream."""
    return await _catch_up(request, body, Watch.Order.RESUME)


@router.post(
    "/reconnect",
    auth=signed_in_to_read,
    response=command(CatchUps),
    summary="Catch sessions up on this stream",
)
async def reconnect(request: Authorised, body: bodies.Places) -> JsonAnswer[CatchUps]:
    """Catch sessions up from the cursors given; the answer tells how."""
    return await _catch_up(request, body, Watch.Order.RECONNECT)


@router.post(
    "/ack",
    auth=signed_in_to_read,
    response=command(None, status=204),
    summary="Tell what the client has applied",
)
async def ack(request: Authorised, body: bodies.Places) -> Status[None]:
    """Record the cursors that a client has applied."""
    connection = await _required_connection(request)
    await pool.run(progress.acknowledge, connection, body.cursors())
    return Status(204, None)


@router.post(
    "/probe",
    auth=signed_in_to_read,
    response=command(Done, status=202),
    summary="Ask the stream for a sign of life",
)
async def probe(request: Authorised, body: bodies.Probe) -> JsonAnswer[Done]:
    """Send a nonce back over the stream."""
    connection = await _required_connection(request)
    await pool.run(probes.add, connection, body.nonce)
    await node.current().poke(connection.pk, connection.process)
    return JsonAnswer(DONE, status=202)


def _source(request: Authorised) -> Source:
    """Return the credential of a request and the stream that it names, if it names one."""
    source: Source = request.source
    try:
        named = str(UUID(request.headers.get("X-Connection-ID", "")))
    except ValueError:
        named = ""
    return replace(source, connection=named)


async def _admitted(sent: Sent) -> Receipt:
    """Return the receipt of a prompt; those that arrive together share a commit."""
    if sent.looks_at_folders:
        return await pool.run(send_alone, sent)
    return await _admissions.ask(sent)


def _interrupt_answer(outcome: interrupts.InterruptOutcome) -> Interrupted:
    metrics.INTERRUPTS.labels(result=outcome.code or "done").inc()
    answer: Interrupted = {"ok": True, "interrupted": outcome.interrupted}
    if outcome.code is not None:
        answer["code"] = outcome.code
    return answer


async def _required_connection(request: Authorised, named: str | None = None) -> Connection:
    named = request.headers.get("X-Connection-ID") or named
    if not named:
        raise ConnectionRequired
    try:
        connection_id = UUID(named)
    except ValueError as exc:
        raise UnknownConnection from exc
    return await pool.run(connections.require, connection_id, request.auth)


async def _named_connection(request: Authorised) -> Connection | None:
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
    request: Authorised, body: bodies.Places, kind: Watch.Order
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


def _beacon(request: Authorised) -> bodies.Beacon:
    """Parse a suspend: JSON under any content type, or a form's field `body`."""
    kind = request.content_type or ""
    is_form = kind in {"application/x-www-form-urlencoded", "multipart/form-data"}
    raw = request.POST.get("body", "").encode() if is_form else request.body
    try:
        return bodies.Beacon.model_validate(json_body.parse(raw))
    except ValidationError as exc:
        raise invalid_request(exc.errors()) from exc
