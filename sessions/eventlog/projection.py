"""What an append changes besides the log: the session's columns and its finished messages.

The projection is the fold itself, run over the few rows that a batch touches; so a snapshot read
from these rows is the fold of the log (I12).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import Q

from sessions.eventlog import fold
from sessions.eventlog.events import LoggedEvent
from sessions.models import Event, Message, Session

Json = dict[str, Any]

# Deltas change nothing that is projected: most batches end here.
TRANSIENT = frozenset({"block_delta", "interrupt_requested"})

# Of one message so much is searched: a flood of megabytes would be stored a third time.
MAX_SEARCHED_CHARS = 200_000

_LIVE = ("modes", "permissions", "turn", "usage")
# The events that say what a message holds once it has ended.
_SHAPE_OF_A_MESSAGE = ("message_start", "block_start", "block_end", "tool_result")


def apply(session_id: UUID, events: Sequence[LoggedEvent]) -> None:
    """Bring session_id's row and Message rows to the last of events; inside the append."""
    lasting = [event for event in events if event.type not in TRANSIENT]
    if not lasting:
        return
    session = Session.objects.get(pk=session_id)
    before = head_of(session) | {"current": None, "messages": _touched_messages(session, lasting)}
    if any(event.type == "message_end" for event in lasting):
        before["current"] = _begun_message(session, before=lasting[0].seq)
    after = fold.fold_all(before, [event.envelope() for event in lasting])
    _save_messages(session, before["messages"], after["messages"])
    _save_session(session, after, _beside_the_fold(session, lasting))


def head_of(session: Session) -> fold.Snapshot:
    """Return the fold of a session's log without its messages: the row as a Snapshot."""
    live = {key: session.live[key] for key in _LIVE if key in session.live}
    return fold.empty(str(session.pk)) | {
        "cursor": session.head_seq,
        "state": session.state,
        "runState": session.run_state,
        "title": session.title,
        "agent": session.agent,
        "mode": session.mode,
        **live,
    }


def text_of(message: Json) -> str:
    """Return what a person would search for in a message."""
    if message["role"] != "assistant":
        return str(message["text"])[:MAX_SEARCHED_CHARS]
    texts = (b["content"] for b in message["blocks"] if b["blockType"] == "text")
    return "\n\n".join(texts)[:MAX_SEARCHED_CHARS]


def _beside_the_fold(session: Session, events: Sequence[LoggedEvent]) -> Json:
    """Return what the server alone needs: where the answer in flight begins, the agent's bill.

    agentCostUsd: what was counted of the agent's own session, which ends where it is not resumed.
    """
    current: int | None = session.live.get("currentSeq")
    cost_usd: float = session.live.get("agentCostUsd", 0.0)
    for event in events:
        match event.type:
            case "message_start":
                current = event.seq
            case "message_end":
                current = None
            case "agent_started" if not event.payload["resumed"]:
                cost_usd = 0.0
            case "usage":
                cost_usd += event.payload.get("costUsd", 0.0)
    return {"currentSeq": current, "agentCostUsd": cost_usd}


def _touched_messages(session: Session, events: Sequence[LoggedEvent]) -> list[Json]:
    """Return the stored prompts that a turn's events will change, by seq."""
    prompts = {e.payload["clientMsgId"] for e in events if e.type == "turn_start"}
    turns = {
        e.payload["turnId"]
        for e in events
        if e.type in ("turn_end", "usage") and "turnId" in e.payload
    }
    if not prompts and not turns:
        return []
    rows = Message.objects.filter(session=session, role="user").filter(
        Q(client_msg_id__in=prompts) | Q(turn_id__in=turns)
    )
    return list(rows.order_by("seq").values_list("data", flat=True))


def _begun_message(session: Session, *, before: int) -> Json | None:
    """Return the message in flight as its events below seq before tell, without deltas."""
    begun = session.live.get("currentSeq")
    if begun is None:
        return None
    rows = Event.objects.filter(
        session=session, seq__gte=begun, seq__lt=before, type__in=_SHAPE_OF_A_MESSAGE
    ).order_by("seq")
    events = [LoggedEvent(session.pk, e.seq, e.type, e.ts, e.payload).envelope() for e in rows]
    current: Json | None = fold.fold_all(fold.empty(str(session.pk)), events)["current"]
    return current


def _save_messages(session: Session, before: list[Json], after: list[Json]) -> None:
    stored = {message["seq"]: message for message in before}
    new = [message for message in after if message["seq"] not in stored]
    changed = [m for m in after if m["seq"] in stored and stored[m["seq"]] != m]
    Message.objects.bulk_create(
        Message(
            session=session,
            message_id=message["messageId"],
            seq=message["seq"],
            role=message["role"],
            turn_id=message["turnId"] or "",
            client_msg_id=message.get("clientMsgId", ""),
            text=text_of(message),
            data=message,
        )
        for message in new
    )
    for message in changed:
        Message.objects.filter(session=session, seq=message["seq"]).update(
            turn_id=message["turnId"] or "", data=message
        )


def _save_session(session: Session, after: fold.Snapshot, beside: Json) -> None:
    live: Json = {key: after[key] for key in _LIVE} | beside
    Session.objects.filter(pk=session.pk).update(
        state=after["state"],
        run_state=after["runState"],
        title=after["title"][:200],
        mode=after["mode"],
        live=live,
    )
