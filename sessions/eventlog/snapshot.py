"""The session folded at one boundary, for a client (docs/reference/events.md#the-snapshot)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from uuid import UUID

from sessions.core.conf import chat
from sessions.core.db import consistent_read
from sessions.core.errors import UnknownSession
from sessions.eventlog import fold, projection
from sessions.eventlog.events import EventType, LoggedEvent
from sessions.eventlog.shapes import AssistantMessage, Envelope, Snapshot
from sessions.eventlog.shapes import Message as Shown
from sessions.models import Event, Message, Session


def take(session_id: UUID, *, messages: bool = True) -> Snapshot:
    """Return the snapshot of a session at its head. Raises UnknownSession.

    messages: with the last SNAPSHOT_MESSAGES finished ones and the answer in flight; without
    them the snapshot only tells state, permissions, turn and usage. The cost is that of the
    messages given, whatever the length of the log: at most three queries.
    """
    with consistent_read():
        session = Session.objects.filter(pk=session_id).first()
        if session is None:
            raise UnknownSession
        newest = _newest(session) if messages else []
        current = _current(session) if messages else None
    shown = newest[: chat.SNAPSHOT_MESSAGES][::-1]
    return {
        **projection.head_of(session),
        "messages": shown,
        "current": current,
        "oldestSeq": shown[0]["seq"] if shown else None,
        "hasMore": len(newest) > len(shown),
        "full": messages,
        "cursorInvalid": False,
    }


def _newest(session: Session) -> list[Shown]:
    """Return the last finished messages, youngest first, and one more than is shown."""
    rows = Message.objects.filter(session=session).order_by("-seq")
    return list(rows.values_list("data", flat=True)[: chat.SNAPSHOT_MESSAGES + 1])


def _current(session: Session) -> AssistantMessage | None:
    begun = session.live.get("currentSeq")
    if begun is None:
        return None
    rows = Event.objects.filter(session=session, seq__gte=begun, seq__lte=session.head_seq)
    fields = rows.order_by("seq").values_list("seq", "type", "ts", "payload")
    events = (LoggedEvent(session.pk, *row).envelope() for row in fields)
    return fold.fold_all(fold.empty(str(session.pk)), merged(events))["current"]


def merged(events: Iterable[Envelope]) -> Iterator[Envelope]:
    """Join neighbouring deltas of one block: the fold copies a block's text at every delta."""
    held: Envelope | None = None
    parts: list[str] = []
    for event in events:
        if held and event["type"] == EventType.BLOCK_DELTA and event["blockId"] == held["blockId"]:
            parts.append(event["delta"])
            continue
        if held:
            yield {**held, "delta": "".join(parts)}
        is_delta = event["type"] == EventType.BLOCK_DELTA
        held, parts = (event, [event["delta"]]) if is_delta else (None, [])
        if not is_delta:
            yield event
    if held:
        yield {**held, "delta": "".join(parts)}
