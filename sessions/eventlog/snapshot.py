"""The session folded at one boundary, for a client (docs/reference/events.md#the-snapshot)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from uuid import UUID

from sessions.core.conf import chat
from sessions.core.db import consistent_read
from sessions.core.errors import UnknownSession
from sessions.eventlog import fold, projection
from sessions.eventlog.events import Json, LoggedEvent
from sessions.models import Event, Message, Session


def take(session_id: UUID, *, messages: bool = True) -> fold.Snapshot:
    """Return the snapshot of a session at its head. Raises UnknownSession.

    messages: with the last SNAPSHOT_MESSAGES finished ones and the answer in flight; without
    them the snapshot only tells state, permissions, turn and usage. The cost is that of the
    messages given, whatever the length of the log: at most three queries.
    """
    with consistent_read():
        session = Session.objects.filter(pk=session_id).first()
        if session is None:
            raise UnknownSession
        shown = _shown(session) if messages else _nothing_shown()
    return projection.head_of(session) | shown | {"full": messages, "cursorInvalid": False}


def _nothing_shown() -> Json:
    return {"messages": [], "current": None, "oldestSeq": None, "hasMore": False}


def _shown(session: Session) -> Json:
    limit = chat.SNAPSHOT_MESSAGES
    rows = Message.objects.filter(session=session).order_by("-seq")
    newest = list(rows.values_list("data", flat=True)[: limit + 1])
    messages = newest[:limit][::-1]
    return {
        "messages": messages,
        "current": _current(session),
        "oldestSeq": messages[0]["seq"] if messages else None,
        "hasMore": len(newest) > limit,
    }


def _current(session: Session) -> Json | None:
    begun = session.live.get("currentSeq")
    if begun is None:
        return None
    rows = Event.objects.filter(session=session, seq__gte=begun, seq__lte=session.head_seq)
    fields = rows.order_by("seq").values_list("seq", "type", "ts", "payload")
    events = (LoggedEvent(session.pk, *row).envelope() for row in fields)
    current: Json | None = fold.fold_all(fold.empty(str(session.pk)), merged(events))["current"]
    return current


def merged(events: Iterable[Json]) -> Iterator[Json]:
    """Join neighbouring deltas of one block: the fold copies a block's text at every delta."""
    held: Json | None = None
    parts: list[str] = []
    for event in events:
        if held and event["type"] == "block_delta" and event["blockId"] == held["blockId"]:
            parts.append(event["delta"])
            continue
        if held:
            yield held | {"delta": "".join(parts)}
        is_delta = event["type"] == "block_delta"
        held, parts = (event, [event["delta"]]) if is_delta else (None, [])
        if not is_delta:
            yield event
    if held:
        yield held | {"delta": "".join(parts)}
