"""Databases that grow to millions of rows in minutes, and whose logs stay whole.

The first turn of a chat is appended as every turn is. Its copies are made by the database itself,
with other ids and other numbers: events, messages and the session's row agree, as check_log finds.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone

from sessions.eventlog import drafts, store
from sessions.eventlog.events import BlockType, Draft, StopReason
from sessions.models import Event, Message, Session

# The part of the first turn's ids that its copies replace: as long as theirs.
MARK: Final = "T0000000"
WORDS: Final = "of a turn "
COPIES_AT_ONCE: Final = 100
SESSIONS_AT_ONCE: Final = 1_000


def first_turn(owner: User, *, deltas: int) -> UUID:
    """Make a chat with one turn; return its id."""
    session = Session.objects.create(owner=owner)
    store.append(session.pk, _turn(deltas))
    return session.pk


def copy_turns(session_id: UUID, *, upto: int) -> None:
    """Append copies of the first turn until the head is upto."""
    length = _length_of_turn(session_id)
    while (head := store.get_head_seq(session_id)) + length <= upto:
        count = min(COPIES_AT_ONCE, (upto - head) // length)
        with transaction.atomic():
            for place in range(count):
                _copy(session_id, head + place * length, length)
            _move_head(session_id, head + count * length)


def add_sessions(owner: User, *, upto: int) -> None:
    """Make chats of one event each until the owner has so many."""
    now = timezone.now()
    for first in range(Session.objects.filter(owner=owner).count(), upto, SESSIONS_AT_ONCE):
        numbers = range(first, min(first + SESSIONS_AT_ONCE, upto))
        made = [
            Session(id=uuid4(), owner=owner, agent="demo", title=f"chat {number}", head_seq=1)
            for number in numbers
        ]
        Session.objects.bulk_create(made)
        Event.objects.bulk_create(
            Event(
                session=session,
                seq=1,
                type="title_changed",
                ts=now,
                payload={"title": session.title},
            )
            for session in made
        )
        for number, session in zip(numbers, made, strict=True):
            session.last_activity_at = now - timedelta(seconds=upto - number)
        Session.objects.bulk_update(made, ["last_activity_at"], batch_size=SESSIONS_AT_ONCE // 2)


def analyse() -> None:
    """Let the database count its rows, as its own housekeeping does sooner or later."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _length_of_turn(session_id: UUID) -> int:
    ends = Event.objects.filter(session_id=session_id, type="turn_end")
    return int(ends.order_by("seq").values_list("seq", flat=True)[0])


def _copy(session_id: UUID, offset: int, length: int) -> None:
    mark = f"T{offset:07d}"[-len(MARK) :]
    for model in (Event, Message):
        meta = model._meta  # noqa: SLF001 (documented API of Django in spite of its name)
        columns = [str(field.column) for field in meta.concrete_fields if not field.primary_key]
        chosen = ", ".join(_copied(column) for column in columns)
        sql = (
            f"INSERT INTO {meta.db_table} ({', '.join(columns)}) "
            f"SELECT {chosen} FROM {meta.db_table} "
            "WHERE session_id = %(session)s AND seq BETWEEN 1 AND %(length)s"
        )
        values: dict[str, Any] = {
            "session": _key(session_id),
            "length": length,
            "offset": offset,
            "old": MARK,
            "new": mark,
        }
        with connection.cursor() as cursor:
            cursor.execute(sql, values)


def _key(session_id: UUID) -> Any:
    """Return a session's id as the database stores it."""
    meta = Session._meta  # noqa: SLF001 (documented API of Django in spite of its name)
    return meta.pk.get_db_prep_value(session_id, connection)


def _copied(column: str) -> str:
    """Return the SQL for a column of a copy."""
    if column == "seq":
        return "seq + %(offset)s"
    is_json = column in {"payload", "data"}
    if column == "session_id" or not (is_json or column.endswith("_id")):
        return column
    if connection.vendor == "sqlite":
        changed = f"replace({column}, %(old)s, %(new)s)"
        return f"json_set({changed}, '$.seq', seq + %(offset)s)" if column == "data" else changed
    changed = f"replace({column}::text, %(old)s, %(new)s)"
    if column == "data":
        return f"jsonb_set({changed}::jsonb, '{{seq}}', to_jsonb(seq + %(offset)s))"
    return f"{changed}::jsonb" if is_json else changed


def _move_head(session_id: UUID, head: int) -> None:
    session = Session.objects.get(pk=session_id)
    session.head_seq, session.live = head, {**session.live, "answeredSeq": head}
    session.save(update_fields=["head_seq", "live"])


def _turn(deltas: int) -> list[Draft]:
    message_id, block_id = f"m-{MARK}", f"b-{MARK}"
    content = WORDS * deltas
    pieces = [
        drafts.block_delta(message_id=message_id, block_id=block_id, delta=WORDS)
        for _ in range(deltas)
    ]
    return [
        drafts.user_message(message_id=f"p-{MARK}", client_msg_id=MARK, text="Next?"),
        drafts.turn_start(turn_id=MARK, client_msg_id=MARK),
        drafts.message_start(message_id=message_id, turn_id=MARK),
        drafts.block_start(message_id=message_id, block_id=block_id, block_type=BlockType.TEXT),
        *pieces,
        drafts.block_end(
            message_id=message_id, block_id=block_id, content=content, html=f"<p>{content}</p>"
        ),
        drafts.message_end(message_id=message_id),
        drafts.turn_end(turn_id=MARK, stop_reason=StopReason.END_TURN),
    ]
