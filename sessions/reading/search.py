"""Search in messages: of all sessions of a user, or of one. The newest first, with snippets."""

from __future__ import annotations

from typing import Final, Literal
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import F
from typing_extensions import TypedDict

from sessions.eventlog.events import timestamp
from sessions.eventlog.folding import rewinding
from sessions.models import Message, Session
from sessions.search import engine, index, words

# A search adds so many messages of before the index to it.
FILLED: Final = 500


class Hit(TypedDict):
    """A message that has the words. seq: of the message, for a link to it.

    rewound: a person has taken it back.
    """

    sessionId: str
    title: str
    archivedAt: str | None
    messageId: str
    seq: int
    role: str
    ts: str
    snippet: list[words.Piece]
    rewound: bool


class HitPage(TypedDict):
    """Messages that fit. isWhole: every message has been looked at."""

    ok: Literal[True]
    results: list[Hit]
    hasMore: bool
    nextBefore: int | None
    isWhole: bool


def search(
    user: User, *, text: str, session_id: UUID | None, before: int | None, limit: int
) -> HitPage:
    """Return the messages of user that have the words of text, each as the begin of a word.

    session_id: of this session alone. before: nextBefore of the page before. Raises
    UnknownSession.
    """
    if session_id is not None:
        Session.objects.find(user, session_id)
    is_whole = index.is_whole() or index.fill_some(FILLED)
    wanted = words.of_query(text)
    query = engine.Query(wanted, user.pk, session_id, before, limit + 1)
    found = engine.current().find(query) if wanted else []
    # The index says where to look; the right to read is asked of the rows.
    mine = Session.objects.visible_to(user)
    rows = Message.objects.filter(pk__in=found[:limit], session__in=mine)
    rows = rows.select_related("session").defer("session__live", "session__offers")
    rows = rows.annotate(rewinds=F("session__live__rewinds"))
    return {
        "ok": True,
        "results": [_hit(row, wanted) for row in rows.order_by("-pk")],
        "hasMore": len(found) > limit,
        "nextBefore": found[limit - 1] if len(found) > limit else None,
        "isWhole": is_whole,
    }


def _hit(row: Message, wanted: list[str]) -> Hit:
    archived_at = row.session.archived_at
    return {
        "sessionId": str(row.session_id),
        "title": row.session.title,
        "archivedAt": timestamp(archived_at) if archived_at else None,
        "messageId": row.message_id,
        "seq": row.seq,
        "role": row.role,
        "ts": row.data["ts"],
        "snippet": words.snippet(row.text, wanted),
        "rewound": rewinding.is_taken_back(row.data, getattr(row, "rewinds", None) or []),
    }
