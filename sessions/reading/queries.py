"""Reads of one user: the list, pages of a transcript and of a log, search.

Every reader begins with Session.objects.visible_to(user): the sessions of other users do not exist
for it (I11).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, Q, QuerySet

from sessions.core.errors import InvalidRequest
from sessions.core.states import RunState, SessionState
from sessions.eventlog import snapshot, store
from sessions.eventlog.events import LoggedEvent, timestamp
from sessions.eventlog.shapes import EventPage, MessagePage, SessionPage, SessionRow, Snapshot
from sessions.eventlog.shapes import Message as Shown
from sessions.models import Message, Session

MAX_PAGE: Final = 200
# LIKE over every message of a user: a longer text finds no more than its first words do.
MAX_QUERY_CHARS: Final = 200
MAX_WORDS: Final = 10
# Rows per query of an export; the server holds one query's rows at a time.
EXPORT_BATCH: Final = 100
ARCHIVED: Final = "archived"


# --- The list -----------------------------------------------------------------------------------


def session_page(
    user: User, *, text: str = "", states: str = "", before: str = "", limit: int
) -> SessionPage:
    """Return {sessions, hasMore, nextBefore}, the last active first, at most limit.

    text: words looked for in titles and messages. states: comma-separated states or run states;
    "archived" alone lists the archived. before: nextBefore of the page before. One query.
    Raises InvalidRequest for an unknown state or a malformed before.
    """
    rows = _in_states(Session.objects.visible_to(user), states)
    if text:
        rows = rows.filter(_mentions(text))
    if before:
        rows = rows.filter(_older_than(before))
    found = list(rows.order_by("-last_activity_at", "-pk").defer("live")[: limit + 1])
    shown = found[:limit]
    return {
        "sessions": [session_row(session) for session in shown],
        "hasMore": len(found) > limit,
        "nextBefore": _place(shown[-1]) if len(found) > limit else None,
    }


def session_row(session: Session) -> SessionRow:
    """Return a session's row of the list."""
    return {
        "sessionId": str(session.pk),
        "title": session.title,
        "agent": session.agent,
        "mode": session.mode,
        "cwd": session.cwd,
        "state": session.state,
        "runState": session.run_state,
        "head": session.head_seq,
        "createdAt": timestamp(session.created_at),
        "lastActivityAt": timestamp(session.last_activity_at),
        "archivedAt": timestamp(session.archived_at) if session.archived_at else None,
    }


def _in_states(rows: QuerySet[Session], states: str) -> QuerySet[Session]:
    words = {word.strip() for word in states.split(",") if word.strip()}
    if words == {ARCHIVED}:
        return rows.filter(archived_at__isnull=False)
    known = {state.value for state in SessionState}, {state.value for state in RunState}
    unknown = words - known[0] - known[1]
    if unknown:
        problem = f"unknown: {', '.join(sorted(unknown))}"
        raise InvalidRequest(f"state: {problem}.", fields={"state": problem})
    rows = rows.filter(archived_at__isnull=True)
    if not words:
        return rows
    return rows.filter(Q(state__in=words & known[0]) | Q(run_state__in=words & known[1]))


def _mentions(text: str) -> Q:
    """Return the condition that title or messages hold the first words of text, in any order.

    icontains escapes % and _. PostgreSQL ignores case in every script, SQLite in ASCII alone.
    """
    condition = Q()
    for word in dict.fromkeys(text.split()[:MAX_WORDS]):
        message = Message.objects.filter(session=OuterRef("pk"), text__icontains=word)
        condition &= Q(title__icontains=word) | Q(Exists(message))
    return condition


def _place(session: Session) -> str:
    return f"{session.last_activity_at.isoformat()}~{session.pk}"


def _older_than(before: str) -> Q:
    moment, _, session_id = before.partition("~")
    try:
        when, pk = datetime.fromisoformat(moment), UUID(session_id)
        if when.tzinfo is None:
            raise ValueError("a time without a zone")
        # As databases store it: there are times that have no UTC within our calendar.
        when = when.astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        problem = "not a nextBefore of this list"
        raise InvalidRequest(f"before: {problem}.", fields={"before": problem}) from exc
    same_moment = Q(last_activity_at=when, pk__lt=pk)
    return Q(last_activity_at__lt=when) | same_moment


# --- One session --------------------------------------------------------------------------------


def session_snapshot(user: User, session_id: UUID) -> Snapshot:
    """Return the snapshot of a session of user, at its head. Raises UnknownSession."""
    Session.objects.find(user, session_id)
    return snapshot.take(session_id)


def message_page(user: User, session_id: UUID, *, before: int | None, limit: int) -> MessagePage:
    """Return {messages, hasMore, oldestSeq}: the last finished messages below seq before.

    Oldest first, at most limit; before None: from the end. Two queries. Raises UnknownSession.
    """
    Session.objects.find(user, session_id)
    rows = Message.objects.filter(session_id=session_id)
    if before is not None:
        rows = rows.filter(seq__lt=before)
    newest = list(rows.order_by("-seq").values_list("data", flat=True)[: limit + 1])
    messages: list[Shown] = newest[:limit][::-1]
    return {
        "messages": messages,
        "hasMore": len(newest) > limit,
        "oldestSeq": messages[0]["seq"] if messages else None,
    }


def event_page(
    user: User, session_id: UUID, *, after: int, limit: int, upto: int | None = None
) -> EventPage:
    """Return {events, hasMore, head, prunedTo}: envelopes with after < seq, ascending.

    At most limit, none above upto. Two queries. Raises UnknownSession.
    """
    session = Session.objects.find(user, session_id)
    last = session.head_seq if upto is None else min(upto, session.head_seq)
    events = store.read(session_id, after=after, limit=limit + 1, upto=last)
    return {
        "events": [event.envelope() for event in events[:limit]],
        "hasMore": len(events) > limit,
        "head": session.head_seq,
        "prunedTo": session.pruned_to,
    }


# --- Exports ------------------------------------------------------------------------------------


def events_after(session: Session, after: int) -> list[LoggedEvent]:
    """Return the next batch of an export, up to the head that session was read at."""
    return store.read(session.pk, after=after, limit=EXPORT_BATCH, upto=session.head_seq)


def messages_after(session: Session, after: int) -> list[Shown]:
    """Return the next batch of finished messages of an export, oldest first."""
    rows = Message.objects.filter(session=session, seq__gt=after, seq__lte=session.head_seq)
    return list(rows.order_by("seq").values_list("data", flat=True)[:EXPORT_BATCH])
