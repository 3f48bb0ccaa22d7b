"""The finished messages of a session, read in batches of bytes, for pages and for exports."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from typing import Final
from uuid import UUID

from django.db.models import QuerySet

from sessions.core.conf import chat
from sessions.core.db import consistent_read
from sessions.core.errors import UnknownSession
from sessions.eventlog.bounded import cut, weight
from sessions.eventlog.shapes import Message as Shown
from sessions.models import Message, Session

# So many stored messages are read at once, unless one alone is larger.
BATCH_BYTES: Final = 1024 * 1024
# So many are weighed at once.
ROWS_WEIGHED: Final = 4


def weighed(
    sessions: QuerySet[Session], session_id: UUID, *, before: int | None = None, count: int
) -> tuple[Session, int]:
    """Return one of some sessions, and the stored bytes of the messages that `page` reads of it.

    One query. Raises UnknownSession.
    """
    total = weight.Total(_last(session_id, before, count), "data")
    with weight.scales():
        session = sessions.annotate(stored_bytes=total).filter(pk=session_id).first()
    if session is None:
        raise UnknownSession(sessionId=str(session_id))
    return session, session.stored_bytes


def page(
    session_id: UUID,
    *,
    before: int | None = None,
    count: int,
    room: int,
    stored: int | None = None,
) -> tuple[list[Shown], bool]:
    """Return the last finished messages below seq before, oldest first, and whether more are older.

    At most count, which take at most room bytes together. The first that does not fit is left out
    with all that are older; but the newest is always there, cut to fit. stored: their bytes as
    `weighed` in the same consistent read, if they are known: light ones are then one query.
    """
    fitting: list[Shown] = []
    has_older = False
    with closing(_newest_first(session_id, before, count, stored)) as newest:
        for message in newest:
            size = cut.size_of_message(message) + 1
            is_first = not fitting and count > 0
            has_older = not is_first and (len(fitting) == count or size > room)
            if has_older:
                break
            fitting.append(message if size <= room else cut.fitted(message, max(room, 0)))
            room -= size
    return fitting[::-1], has_older


def batches(
    session_id: UUID, *, after: int, upto: int, limit: int
) -> Generator[list[Shown], None, None]:
    """Yield the whole messages with after < seq ≤ upto, oldest first, in batches of BATCH_BYTES.

    A batch counts against ROWS_BYTES until the next one is asked for: let go of it by then.
    """
    rows = Message.objects.filter(session_id=session_id, seq__gt=after, seq__lte=upto)
    return _batches(rows.order_by("seq")[:limit])


def _last(session_id: UUID, before: int | None, count: int) -> QuerySet[Message]:
    """Return the last messages below seq before, newest first, and one more than count."""
    rows = Message.objects.filter(session_id=session_id)
    if before is not None:
        rows = rows.filter(seq__lt=before)
    return rows.order_by("-seq")[: count + 1]


def _newest_first(
    session_id: UUID, before: int | None, count: int, stored: int | None
) -> Generator[Shown, None, None]:
    """Yield finished messages with cut texts, read as they are asked for."""
    rows = _last(session_id, before, count)
    is_light = stored is not None and stored <= BATCH_BYTES
    for batch in _at_once(rows, stored or 0) if is_light else _batches(rows):
        shown = [cut.message(message, chat.TEXT_BYTES) for message in batch]
        del batch
        yield from shown


def _at_once(rows: QuerySet[Message], size: int) -> Generator[list[Shown], None, None]:
    with weight.rows_room.held(size):
        yield list(rows.values_list("data", flat=True))


def _batches(rows: QuerySet[Message]) -> Generator[list[Shown], None, None]:
    weighing = weight.weighed(rows, "data", at_once=ROWS_WEIGHED)
    with consistent_read(), closing(weighing) as weighed:
        begin = 0
        for batch in weight.split(weighed, BATCH_BYTES):
            found, begin = rows[begin : begin + len(batch)], begin + len(batch)
            with weight.rows_room.held(sum(one.size for one in batch)):
                yield list(found.values_list("data", flat=True))
