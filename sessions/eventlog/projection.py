"""The changes of an append besides the log: the session's columns and its finished messages.

The projection is the fold itself, run over the few rows that a batch touches; so a snapshot read
from these rows is the fold of the log (I12).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, cast

from django.db.models import Q

from sessions.eventlog import fold
from sessions.eventlog.events import PIECES, EventType, LoggedEvent
from sessions.eventlog.folding import rewinding
from sessions.eventlog.shapes import AssistantMessage, Payload, Permission, Queued, Snapshot
from sessions.eventlog.shapes import Message as Shown
from sessions.models import MAX_TITLE_CHARS, BlobName, Event, Message, Prompt, Session

# Deltas change nothing that is projected: most batches end here.
TRANSIENT = PIECES | {EventType.INTERRUPT_REQUESTED}

# Of one message so much is searched: a flood of megabytes would be stored a third time.
MAX_SEARCHED_CHARS = 200_000

# The agent's offers: kilobytes that hardly change, in a column that other appends leave alone.
_OFFERS = frozenset(
    {
        EventType.OPTIONS_OFFERED,
        EventType.OPTION_CHANGED,
        EventType.COMMANDS_OFFERED,
        EventType.MODE_CHANGED,
    }
)

# The columns that the fold stands in, besides the offers.
_NUMBERED = ("id", "head_seq")
_FOLDED = (*_NUMBERED, "state", "run_state", "title", "agent", "mode", "live")

# The changes of one prompt that waits.
_IN_THE_QUEUE = frozenset(
    {EventType.PROMPT_WITHDRAWN, EventType.PROMPT_EDITED, EventType.CHECKPOINT_MADE}
)
# The events that name blobs.
_NAMING = frozenset({EventType.USER_MESSAGE, EventType.TOOL_RESULT})
_OF_A_QUEUE = ("client_msg_id", "seq")

# The events that make the content of a message.
SHAPE_OF_A_MESSAGE = (
    EventType.MESSAGE_START,
    EventType.BLOCK_START,
    EventType.BLOCK_END,
    EventType.TOOL_UPDATE,
    EventType.TOOL_RESULT,
)


def columns(types: Collection[str]) -> tuple[str, ...]:
    """Return the columns of a session's row that `apply` reads for events of these types."""
    if TRANSIENT.issuperset(types):
        return _NUMBERED
    return _FOLDED if _OFFERS.isdisjoint(types) else (*_FOLDED, "offers")


def apply(session: Session, events: Sequence[LoggedEvent]) -> None:
    """Bring a session's row and its Message rows to the last of events; inside the append.

    session: the row with the `columns` of these events, under its lock.
    """
    lasting = [event for event in events if event.type not in TRANSIENT]
    if not lasting:
        return
    before = head_of(session)
    before["messages"] = _touched_messages(session, lasting)
    if any(event.type == EventType.MESSAGE_END for event in lasting):
        before["current"] = _begun_message(session, before=lasting[0].seq)
    after = fold.fold_all(before, [event.envelope() for event in lasting])
    _save_messages(session, before["messages"], [*map(rewinding.bare, after["messages"])])
    _save_session(session, after, _beside_the_fold(session, lasting))
    _save_blobs(session, lasting)
    if any(event.type in _OFFERS for event in lasting):
        offers = {"options": after["options"], "commands": after["commands"]}
        Session.objects.filter(pk=session.pk).update(offers=offers)


def head_of(session: Session) -> Snapshot:
    """Return the fold of a session's log without its messages: the row as a Snapshot.

    Of a row that was read without its offers, these are missing.
    """
    live = session.live
    offers = {} if "offers" in session.get_deferred_fields() else session.offers
    nothing = fold.empty(str(session.pk))
    return {
        **nothing,
        "rewinds": live.get("rewinds", nothing["rewinds"]),
        "cursor": session.head_seq,
        "state": session.state,
        "runState": session.run_state,
        "title": session.title,
        "agent": session.agent,
        "mode": session.mode,
        "modes": live.get("modes", nothing["modes"]),
        "permissions": [_whole(request) for request in live.get("permissions", [])],
        "turn": live.get("turn", nothing["turn"]),
        "queue": _queue(session),
        "usage": live.get("usage", nothing["usage"]),
        "questions": live.get("questions", nothing["questions"]),
        "context": live.get("context", nothing["context"]),
        "logIn": live.get("logIn", nothing["logIn"]),
        "options": offers.get("options", nothing["options"]),
        "commands": offers.get("commands", nothing["commands"]),
    }


def _queue(session: Session) -> list[Queued]:
    """Return the prompts that wait; a row that an older version has written does not tell them."""
    told: list[Queued] | None = session.live.get("queue")
    if told is not None or not session.live:
        return told or []
    rows = Prompt.objects.waiting().filter(session=session).in_order()
    return [{"clientMsgId": name, "seq": seq} for name, seq in rows.values_list(*_OF_A_QUEUE)]


def _whole(request: dict[str, Any]) -> Permission:
    """Return a stored request; one that an older version has opened has no kind and no digest."""
    return cast("Permission", {"toolKind": None, "digest": None, **request})


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

    answeredSeq: the end of the last turn, behind which nothing is unread. agentCostUsd: the costs
    of the agent's own session; they begin at 0 where it is not resumed. retells: the agent is to
    be told what was said before; rewoundAt: an agent that began before it knows too much.
    """
    current: int | None = session.live.get("currentSeq")
    answered: int = session.live.get("answeredSeq", 0)
    rewound_at: int = session.live.get("rewoundAt", 0)
    retells: bool = session.live.get("retells", False)
    cost_usd: float = session.live.get("agentCostUsd", 0.0)
    for event in events:
        match event.type:
            case EventType.MESSAGE_START:
                current = event.seq
            case EventType.MESSAGE_END:
                current = None
            case EventType.TURN_END:
                answered = event.seq
            case EventType.REWOUND:
                rewound_at, retells = event.seq, True
            case EventType.SESSION_CREATED if "forkOf" in event.payload:
                retells = True
            case EventType.TURN_START | EventType.AGENT_STARTED if _knows(event.payload):
                retells = False
            case EventType.AGENT_STARTED if not event.payload["resumed"]:
                cost_usd = 0.0
            case EventType.USAGE:
                cost_usd += event.payload.get("costUsd", 0.0)
    return {
        "currentSeq": current,
        "answeredSeq": answered,
        "agentCostUsd": cost_usd,
        "rewoundAt": rewound_at,
        "retells": retells,
    }


def _knows(told: Payload) -> bool:
    """Return whether an agent knows what was said: it is told, or has copied a session."""
    return told.get("retold", False) or told.get("forked", False)


def _touched_messages(session: Session, events: Sequence[LoggedEvent]) -> list[Shown]:
    """Return the stored prompts that a turn's events will change, by seq."""
    begun = [e.payload for e in events if e.type == EventType.TURN_START]
    prompts = {payload["clientMsgId"] for payload in begun if "clientMsgId" in payload}
    of_prompts = [e.payload for e in events if e.type in _IN_THE_QUEUE]
    prompts |= {payload["clientMsgId"] for payload in of_prompts if "clientMsgId" in payload}
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
        session=session, seq__gte=begun, seq__lt=before, type__in=SHAPE_OF_A_MESSAGE
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
        fields = {"turn_id": message["turnId"] or "", "data": message}
        if (text := text_of(message)) != text_of(stored[message["seq"]]):
            fields["text"] = text
        Message.objects.filter(session=session, seq=message["seq"]).update(**fields)


def _save_blobs(session: Session, events: Sequence[LoggedEvent]) -> None:
    """Note the blobs that prompts and results name: from now on they may be read, and stay."""
    naming = [event.payload for event in events if event.type in _NAMING]
    named = {
        item["blob"]: item["mime"]
        for payload in naming
        for name in ("attachments", "images", "resources")
        for item in cast("dict[str, Any]", payload).get(name, [])
        if "blob" in item
    }
    BlobName.objects.bulk_create(
        [BlobName(session=session, sha256=sha256, mime=mime) for sha256, mime in named.items()],
        ignore_conflicts=True,
    )


def _save_session(session: Session, after: Snapshot, beside: dict[str, Any]) -> None:
    live = {
        "modes": after["modes"],
        "permissions": after["permissions"],
        "turn": after["turn"],
        "queue": after["queue"],
        "rewinds": after["rewinds"],
        "usage": after["usage"],
        "questions": after["questions"],
        "context": after["context"],
        "logIn": after["logIn"],
        **beside,
    }
    Session.objects.filter(pk=session.pk).update(
        state=after["state"],
        run_state=after["runState"],
        title=stored_title(after["title"]),
        mode=after["mode"],
        live=live,
    )
