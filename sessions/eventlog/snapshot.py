"""The session folded at one boundary, for a client (docs/reference/events.md#the-snapshot)."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.db.models import QuerySet

from sessions.core.conf import chat
from sessions.core.db import consistent_read
from sessions.core.errors import UnknownSession
from sessions.eventlog import projection
from sessions.eventlog.bounded import cut, growing
from sessions.eventlog.bounded import messages as stored
from sessions.eventlog.folding import rewinding
from sessions.eventlog.shapes import AssistantMessage, Snapshot
from sessions.models import Session

# Of a snapshot the answer in flight gets this share at most: its prompt is to fit beside it.
CURRENT_SHARE: Final = 0.75
# Open requests and questions get this share at most; the rest of each is loaded apart.
ASKED_SHARE: Final = 0.25


def take(session_id: UUID, *, messages: bool = True) -> Snapshot:
    """Return the snapshot of a session at its head. Raises UnknownSession.

    messages: with the last SNAPSHOT_MESSAGES finished ones and the answer in flight; without
    them the snapshot only tells state, permissions, turn and usage. It has SNAPSHOT_BYTES at most,
    the newest messages whole first. The cost is that of the messages given, whatever the length
    of the log: the number of queries is bounded.
    """
    with consistent_read():
        if messages:
            return full_of(Session.objects.all(), session_id)[1]
        session = Session.objects.filter(pk=session_id).first()
    if session is None:
        raise UnknownSession
    return _snapshot(_head(session))


def full_of(sessions: QuerySet[Session], session_id: UUID) -> tuple[Session, Snapshot]:
    """Return one of some sessions, and its snapshot with messages. Raises UnknownSession.

    Two queries; more for an answer in flight, and for messages of more than a batch.
    """
    with consistent_read():
        count = chat.SNAPSHOT_MESSAGES
        session, size = stored.weighed(sessions, session_id, count=count)
        head = _head(session)
        room = chat.SNAPSHOT_BYTES - cut.size_on_wire(head)
        current = growing.shown(session, room=int(room * CURRENT_SHARE))
        if current is not None:
            room -= cut.size_on_wire(current)
        shown, has_more = stored.page(session_id, count=count, room=room, stored=size)
    shown = [rewinding.marked(message, head["rewinds"]) for message in shown]
    oldest = shown[0]["seq"] if shown else session.head_seq + 1
    return session, {
        **_snapshot(head),
        "messages": shown,
        "current": current,
        "oldestSeq": oldest if shown or has_more else None,
        "hasMore": has_more,
        "full": True,
    }


def _head(session: Session) -> Snapshot:
    return _within(projection.head_of(session), int(chat.SNAPSHOT_BYTES * ASKED_SHARE))


def _snapshot(head: Snapshot) -> Snapshot:
    """Return the snapshot without messages."""
    return {
        **head,
        "messages": [],
        "current": None,
        "oldestSeq": None,
        "hasMore": False,
        "full": False,
        "cursorInvalid": False,
    }


def _within(head: Snapshot, room: int) -> Snapshot:
    """Return a head whose open requests and questions take about room bytes."""
    asked = cut.permissions(head["permissions"], chat.TEXT_BYTES, room)
    room = max(0, room - cut.size_on_wire(asked))
    return {
        **head,
        "permissions": asked,
        "questions": cut.questions(head["questions"], chat.TEXT_BYTES, room),
    }


def current(session_id: UUID) -> tuple[int, AssistantMessage | None]:
    """Return the head of a session and the answer in flight there. Raises UnknownSession."""
    with consistent_read():
        session = Session.objects.filter(pk=session_id).first()
        if session is None:
            raise UnknownSession
        return session.head_seq, growing.whole(session)
