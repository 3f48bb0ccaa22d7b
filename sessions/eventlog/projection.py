"""The changes of an append besides the log: the session's columns and its finished messages.

The projection is the fold itself, run over the few rows that a batch touches; so a snapshot read
from these rows is the fold of the log (I12).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import Q

from sessions.eventlog import fold
from sessions.eventlog.events import EventType, LoggedEvent
from sessions.eventlog.shapes import AssistantMessage, Snapshot
from sessions.eventlog.shapes import Message as Shown
from sessions.models import MAX_TITLE_CHARS, Event, Message, Session

# Deltas change nothing that is projected: most batches end here.
TRANSIENT = frozenset({EventType.BLOCK_DELTA, EventType.INTERRUPT_REQUESTED})

# Of one message so much is searched: a flood of megabytes would be stored a third time.
MAX_SEARCHED_CHARS = 200_000

# The events that make the content of a message.
_SHAPE_OF_A_MESSAGE = (
    EventType.MESSAGE_START,
    EventType.BLOCK_START,
    EventType.BLOCK_END,
    EventType.TOOL_UPDATE,
    EventType.TOOL_RESULT,
)


def apply(session_id: UUID, events: Sequence[LoggedEvent]) -> None:
    """Bring session_id's row and Message rows to the last of events; inside the append."""
    lasting = [event for event in events if event.type not in TRANSIENT]
    if not lasting:
        return
    session = Session.objects.get(pk=session_id)
    before = head_of(session)
    before["messages"] = _touched_messages(session, lasting)
    if any(event.type == EventType.MESSAGE_END for event in lasting):
        before["current"] = _begun_message(session, before=lasting[0].seq)
    after = fold.fold_all(before, [event.envelope() for event in lasting])
    _save_messages(session, before["messages"], after["messages"])
    _save_session(session, after, _beside_the_fold(session, lasting))


def head_of(session: Session) -> Snapshot:
    """Return the fold of a session's log without its messages: the row as a Snapshot."""
    live = session.live
    nothing = fold.empty(str(session.pk))
    return {
        **nothing,
        "cursor": session.head_seq,
        "state": session.state,
        "runState": session.run_state,
        "title": session.title,
        "agent": session.agent,
        "mode": session.mode,
        "modes": live.get("modes", nothing["modes"]),
        "permissions": live.get("permissions", nothing["permissions"]),
        "turn": live.get("turn", nothing["turn"]),
        "usage": live.get("usage", nothing["usage"]),
    }


def stored_title(title: str) -> str:
    """Return the part of a title that the session's row holds; an event may have a longer one."""
    return title[:MAX_TITLE_CHARS]


def text_of(message: Shown) -> str:
    """Return the text of a message that the search looks into."""
    if message["role"] != "assistant":
        return message["text"][:MAX_SEARCHED_CHARS]
    texts = (b["content"] for b in message["blocks"] if b["blockType"] == "text")
    return "\n\n".join(texts)[:MAX_SEARCHED_CHARS]


def _beside_the_fold(session: Session, events: Sequence[LoggedEvent]) -> dict[str, Any]:
    """Return the facts of the server alone: the begin of the answer in flight, the agent's bill.

    agentCostUsd: the costs of the agent's own session; they begin at 0 where it is not resumed.
    """
    current: int | None = session.live.get("currentSeq")
    cost_usd: float = session.live.get("agentCostUsd", 0.0)
    for event in events:
        match event.type:
            case EventType.MESSAGE_START:
                current = event.seq
            case EventType.MESSAGE_END:
                current = None
            case EventType.AGENT_STARTED if not event.payload["resumed"]:
                cost_usd = 0.0
            case EventType.USAGE:
                cost_usd += event.payload.get("costUsd", 0.0)
    return {"currentSeq": current, "agentCostUsd": cost_usd}


def _touched_messages(session: Session, events: Sequence[LoggedEvent]) -> list[Shown]:
    """Return the stored prompts that a turn's events will change, by seq."""
    prompts = {e.payload["clientMsgId"] for e in events if e.type == EventType.TURN_START}
    turns = {
        e.payload["turnId"]
        for e in events
        if e.type in (EventType.TURN_END, EventType.USAGE) and "turnId" in e.payload
    }
    if not prompts and not turns:
        return []
    rows = Message.objects.filter(session=session, role="user").filter(
        Q(client_msg_id__in=prompts) | Q(turn_id__in=turns)
    )
    return list(rows.order_by("seq").values_list("data", flat=True))


def _begun_message(session: Session, *, before: int) -> AssistantMessage | None:
    """Return the message in flight as its events below seq before tell, without deltas."""
    begun = session.live.get("currentSeq")
    if begun is None:
        return None
    rows = Event.objects.filter(
        session=session, seq__gte=begun, seq__lt=before, type__in=_SHAPE_OF_A_MESSAGE
    ).order_by("seq")
    events = [LoggedEvent(session.pk, e.seq, e.type, e.ts, e.payload).envelope() for e in rows]
    return fold.fold_all(fold.empty(str(session.pk)), events)["current"]


def _save_messages(session: Session, before: list[Shown], after: list[Shown]) -> None:
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
            client_msg_id=message["clientMsgId"] if message["role"] == "user" else "",
            text=text_of(message),
            data=message,
        )
        for message in new
    )
    for message in changed:
        Message.objects.filter(session=session, seq=message["seq"]).update(
            turn_id=message["turnId"] or "", data=message
        )


def _save_session(session: Session, after: Snapshot, beside: dict[str, Any]) -> None:
    live = {
        "modes": after["modes"],
        "permissions": after["permissions"],
        "turn": after["turn"],
        "usage": after["usage"],
        **beside,
    }
    Session.objects.filter(pk=session.pk).update(
        state=after["state"],
        run_state=after["runState"],
        title=stored_title(after["title"]),
        mode=after["mode"],
        live=live,
    )
