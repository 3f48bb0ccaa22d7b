"""Reads of one user: the list, pages of a transcript and of a log, search.

Every reader begins with Session.objects.visible_to(user): the sessions of other users do not exist
for it (I11).
"""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import Exists, F, FilteredRelation, OuterRef, Q, QuerySet
from django.db.models.fields.json import KeyTextTransform

from sessions.core.conf import chat
from sessions.core.db import consistent_read
from sessions.core.errors import InvalidRequest, UnknownSession
from sessions.core.states import RunState, SessionState
from sessions.eventlog import snapshot, store
from sessions.eventlog.bounded import cut, messages
from sessions.eventlog.events import timestamp
from sessions.eventlog.folding import rewinding
from sessions.models import Message, Session
from sessions.personal import rows
from sessions.reading.shapes import (
    EventPage,
    MessagePage,
    PersonalSnapshot,
    SessionDetail,
    SessionPage,
    SessionRow,
)

MAX_PAGE: Final = 200
# LIKE over every message of a user: a longer text finds no more than its first words do.
MAX_QUERY_CHARS: Final = 200
MAX_WORDS: Final = 10
ARCHIVED: Final = "archived"


# --- The list -----------------------------------------------------------------------------------


def session_page(
    user: User,
    *,
    text: str = "",
    states: str = "",
    project_id: UUID | None = None,
    before: str = "",
    limit: int,
) -> SessionPage:
    """Return {sessions, hasMore, nextBefore}, the last active first, at most limit.

    text: words looked for in titles and messages. states: comma-separated states or run states;
    "archived" alone lists the archived. project_id: the chats of one project. before: nextBefore
    of the page before. pinned: with the first page of the whole list alone. Two queries. Raises
    InvalidRequest for an unknown state or a malformed before.
    """
    listed = _in_states(_for_person(user), states)
    if text:
        listed = listed.filter(_mentions(text))
    if project_id is not None:
        listed = listed.filter(project_id=project_id)
    if before:
        listed = listed.filter(_older_than(before))
    found = list(listed.order_by("-last_activity_at", "-pk").defer("live", "offers")[: limit + 1])
    shown = found[:limit]
    return {
        "sessions": [session_row(session) for session in shown],
        "pinned": [] if text or states or project_id or before else _pinned(user),
        "hasMore": len(found) > limit,
        "nextBefore": _place(shown[-1]) if len(found) > limit else None,
    }


def read_session(user: User, session_id: UUID) -> SessionDetail:
    """Return the row of one session of user, with its draft. Raises UnknownSession."""
    session = _for_person(user).defer("live", "offers").filter(pk=session_id).first()
    if session is None:
        raise UnknownSession(sessionId=str(session_id))
    return {**session_row(session), "personal": rows.of_person(user, session_id)}


def _for_person(user: User) -> QuerySet[Any]:
    """Return the sessions of user with the read mark, the pin and the draft that user has."""
    mine = FilteredRelation("personal", condition=Q(personal__user=user))
    return Session.objects.visible_to(user).annotate(
        mine=mine,
        read_seq=F("mine__read_seq"),
        draft_version=F("mine__draft_version"),
        comments_version=F("mine__comments_version"),
        pinned_at=F("mine__pinned_at"),
        branch=F("worktree__branch"),
        answered_seq=KeyTextTransform("answeredSeq", "live"),
    )


def _pinned(user: User) -> list[SessionRow]:
    pinned = _for_person(user).filter(archived_at__isnull=True, pinned_at__isnull=False)
    return [session_row(row) for row in pinned.order_by("-pinned_at").defer("live", "offers")]


def session_row(session: Any) -> SessionRow:
    """Return a session's row of the list. session: one of _for_person."""
    pinned_at = session.pinned_at
    return {
        "sessionId": str(session.pk),
        "title": session.title,
        "agent": session.agent,
        "mode": session.mode,
        "cwd": session.cwd,
        "projectId": str(session.project_id) if session.project_id else None,
        "branch": session.branch,
        "state": session.state,
        "runState": session.run_state,
        "head": session.head_seq,
        "createdAt": timestamp(session.created_at),
        "lastActivityAt": timestamp(session.last_activity_at),
        "archivedAt": timestamp(session.archived_at) if session.archived_at else None,
        # Without a row all counts as read: the chat is of a version without read marks.
        "isUnread": session.read_seq is not None
        and int(session.answered_seq or 0) > session.read_seq,
        "readSeq": session.read_seq or 0,
        "draftVersion": session.draft_version or 0,
        "commentsVersion": session.comments_version or 0,
        "pinnedAt": timestamp(pinned_at) if pinned_at else None,
        "waitSeconds": session.wait_s,
    }


def _in_states(rows: QuerySet[Any], states: str) -> QuerySet[Any]:
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


def session_snapshot(user: User, session_id: UUID) -> PersonalSnapshot:
    """Return the snapshot of a session of user, at its head. Two queries. Raises UnknownSession."""
    mine = rows.beside(Session.objects.visible_to(user), user)
    session, taken = snapshot.full_of(mine, session_id)
    return {**taken, "personal": rows.of_row(session)}


def message_page(user: User, session_id: UUID, *, before: int | None, limit: int) -> MessagePage:
    """Return {messages, hasMore, oldestSeq}: the last finished messages below seq before.

    Oldest first, at most limit and PAGE_BYTES, but one at least; before None: from the end. Two
    queries; more for messages of more than a batch. Raises UnknownSession.
    """
    with consistent_read():
        mine = Session.objects.visible_to(user).only("live")
        session, size = messages.weighed(mine, session_id, before=before, count=limit)
        found, has_more = messages.page(
            session_id, before=before, count=limit, room=chat.PAGE_BYTES, stored=size
        )
    rewinds = session.live.get("rewinds", [])
    return {
        "messages": [rewinding.marked(message, rewinds) for message in found],
        "hasMore": has_more,
        "oldestSeq": found[0]["seq"] if found else None,
    }


def event_page(
    user: User, session_id: UUID, *, after: int, limit: int, upto: int | None = None
) -> EventPage:
    """Return {events, hasMore, head, prunedTo}: envelopes with after < seq, ascending.

    At most limit and PAGE_BYTES, but one at least; none above upto. Texts are cut. Three queries.
    Raises UnknownSession.
    """
    session = Session.objects.find(user, session_id)
    last = session.head_seq if upto is None else min(upto, session.head_seq)
    batches = store.batches(
        session_id, after=after, limit=limit + 1, max_bytes=chat.PAGE_BYTES, upto=last
    )
    with closing(batches):
        first = next(batches, [])
        envelopes = [cut.event(event.envelope(), chat.TEXT_BYTES) for event in first[:limit]]
    seen = envelopes[-1]["seq"] if envelopes else last
    return {
        "events": envelopes,
        "hasMore": len(first) > limit or store.has_after(session_id, seen, upto=last),
        "head": session.head_seq,
        "prunedTo": session.pruned_to,
    }
