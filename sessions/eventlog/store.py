"""The event log: append-only, ordered per session, the only truth.

Nothing else writes events or Session.head_seq. The row lock that an append takes on its session
makes commit order seq order: a reader of seq n can read every seq below it (I1, I2).
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.dispatch import Signal
from django.utils import timezone

from sessions.core import metrics, storage
from sessions.core.db import consistent_read
from sessions.core.errors import LeaseLost, UnknownSession
from sessions.core.states import SessionState
from sessions.eventlog import projection
from sessions.eventlog.bounded import weight
from sessions.eventlog.events import PIECES, Draft, EventType, LoggedEvent
from sessions.eventlog.lease import Lease
from sessions.models import Event, Session

logger = logging.getLogger(__name__)

# So many events are weighed at once.
ROWS_WEIGHED: Final = 20

# Sent after the commit, in the committing thread: session_id, head, events (list[LoggedEvent]).
committed = Signal()


@dataclass(frozen=True, slots=True)
class Batch:
    """Drafts for one session, appended together or not at all.

    tried_after: the head before an earlier try whose answer was lost. Events that this try did
    append are found after it and not appended again.
    """

    drafts: Sequence[Draft]
    lease: Lease | None = None
    tried_after: int | None = None


# More new events than these are read by their readers: of one session, and of all in one look.
MAX_NEWS_OF_ONE = 64
MAX_NEWS = 1000
# The stored bytes of one of them.
MAX_NEWS_BYTES = 64 * 1024
# SQLite parses no deeper tree of conditions than a thousand.
MAX_RANGES = 200


class News(NamedTuple):
    """A head that has moved, and the events up to it where they are few."""

    session_id: UUID
    head: int
    events: list[LoggedEvent] | None


@dataclass(frozen=True, slots=True)
class Boundary:
    """A session's head, state and pruned range, read at one moment."""

    head: int
    state: SessionState
    pruned_to: int


@dataclass(frozen=True, slots=True)
class Pruned:
    """The events that one batch has removed, and the seq of its last; None when none is left."""

    removed: int
    last: int | None


def append(
    session_id: UUID, drafts: Sequence[Draft], *, lease: Lease | None = None
) -> list[LoggedEvent]:
    """Append drafts to one session in one transaction; return them with their seqs.

    Joins a transaction that is open already. Raises UnknownSession; LeaseLost when lease is given
    and another runner has claimed the session since; InvalidRequest for a malformed draft.
    """
    outcome = append_many({session_id: Batch(drafts, lease)})[session_id]
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def append_many(
    batches: Mapping[UUID, Batch],
) -> dict[UUID, list[LoggedEvent] | LeaseLost | UnknownSession]:
    """Append to several sessions in one transaction: the group commit.

    Return each session's events, or the reason why its batch was refused; a refused batch does not
    stop the others.
    """
    checked = {sid: [draft.checked() for draft in batch.drafts] for sid, batch in batches.items()}
    outcomes: dict[UUID, list[LoggedEvent] | LeaseLost | UnknownSession] = {}
    appended: list[tuple[Session, list[LoggedEvent]]] = []
    # No savepoint: after a refusal by the database the whole of a transaction around is undone.
    with metrics.APPEND_SECONDS.time(), transaction.atomic(savepoint=False):
        now = timezone.now()
        # In one order everywhere, so that two group commits cannot lock each other out.
        for session_id in sorted(batches):
            drafts, batch = checked[session_id], batches[session_id]
            outcomes[session_id] = _found(session_id, drafts, batch.tried_after)
            if outcomes[session_id] or not drafts:
                continue
            row = _advance_head(session_id, drafts, batch.lease, now)
            if row is None:
                outcomes[session_id] = _refusal(session_id)
                continue
            outcomes[session_id] = events = _numbered(row, drafts, now)
            appended.append((row, events))
        _insert([event for _, events in appended for event in events])
        for row, events in appended:
            projection.apply(row, events)
            transaction.on_commit(storage.found_room)
            transaction.on_commit(partial(_announce, row.pk, events))
    metrics.APPEND_BATCH.observe(sum(len(events) for _, events in appended))
    return outcomes


def read(
    session_id: UUID,
    *,
    after: int,
    limit: int,
    upto: int | None = None,
    types: Collection[str] | None = None,
) -> list[LoggedEvent]:
    """Return events with after < seq (≤ upto, of types), seq ascending, at most limit.

    Bounded in number alone: where an agent chose the sizes, read by `batches`.
    """
    rows = _rows(session_id, after=after, upto=upto, types=types)
    fields = rows.order_by("seq").values_list("seq", "type", "ts", "payload")[:limit]
    return [LoggedEvent(session_id, *row) for row in fields]


def batches(
    session_id: UUID,
    *,
    after: int,
    limit: int,
    max_bytes: int,
    upto: int | None = None,
    types: Collection[str] | None = None,
) -> Generator[list[LoggedEvent], None, None]:
    """Yield the events of `read` in batches of at most max_bytes as stored, but one at least.

    A batch counts against ROWS_BYTES until the next one is asked for: let go of it by then.
    """
    rows = _rows(session_id, after=after, upto=upto, types=types)
    with consistent_read(), closing(_weighed(rows, limit)) as weighed:
        for batch in weight.split(weighed, max_bytes):
            with weight.rows_room.held(sum(one.size for one in batch)):
                yield read(
                    session_id, after=batch[0].seq - 1, limit=limit, upto=batch[-1].seq, types=types
                )


def weigh(session_id: UUID, *, after: int, upto: int, enough: int) -> int:
    """Return the stored bytes of the events after..upto; stop counting once it is enough."""
    size = 0
    rows = _rows(session_id, after=after, upto=upto, types=None)
    with consistent_read(), closing(_weighed(rows, upto - after)) as weighed:
        for one in weighed:
            size += one.size
            if size >= enough:
                break
    return size


def has_after(session_id: UUID, after: int, *, upto: int) -> bool:
    """Return whether there is an event with after < seq ≤ upto."""
    return _rows(session_id, after=after, upto=upto, types=None).exists()


def _rows(
    session_id: UUID, *, after: int, upto: int | None, types: Collection[str] | None
) -> QuerySet[Event]:
    rows = Event.objects.filter(session_id=session_id, seq__gt=after)
    if upto is not None:
        rows = rows.filter(seq__lte=upto)
    return rows if types is None else rows.filter(type__in=types)


def get_head_seq(session_id: UUID) -> int:
    """Return the highest seq of a session, 0 without events or session."""
    return heads([session_id]).get(session_id, 0)


def heads(session_ids: Collection[UUID]) -> dict[UUID, int]:
    """Return the head of each known session in one query."""
    rows = Session.objects.filter(pk__in=session_ids).values_list("pk", "head_seq")
    return dict(rows)


def news(known: Mapping[UUID, int]) -> list[News]:
    """Return the sessions whose head is beyond the known one, in two queries."""
    moved = {sid: head for sid, head in heads(known).items() if head > known[sid]}
    ranges: dict[UUID, range] = {}
    room = MAX_NEWS
    for session_id, head in moved.items():
        seqs = range(known[session_id] + 1, head + 1)
        if len(seqs) <= min(room, MAX_NEWS_OF_ONE) and len(ranges) < MAX_RANGES:
            ranges[session_id] = seqs
            room -= len(seqs)
    found = _read_ranges(ranges)
    return [News(session_id, head, found.get(session_id)) for session_id, head in moved.items()]


def _read_ranges(ranges: Mapping[UUID, range]) -> dict[UUID, list[LoggedEvent]]:
    """Return the events of several sessions in one query; without a session that was pruned."""
    if not ranges:
        return {}
    wanted = Q()
    for session_id, seqs in ranges.items():
        wanted |= Q(session_id=session_id, seq__gte=seqs[0], seq__lte=seqs[-1])
    # A session whose range has a long event is left to its readers, who read it in bytes.
    light = Event.objects.annotate(size=weight.Stored("payload")).filter(size__lte=MAX_NEWS_BYTES)
    rows = light.filter(wanted).order_by("session_id", "seq")
    found: dict[UUID, list[LoggedEvent]] = {session_id: [] for session_id in ranges}
    for row in rows.values_list("session_id", "seq", "type", "ts", "payload"):
        found[row[0]].append(LoggedEvent(*row))
    return {sid: events for sid, events in found.items() if len(events) == len(ranges[sid])}


def boundary(session_id: UUID) -> Boundary:
    """Return head, state and pruned range of a session in one query. Raises UnknownSession."""
    row = Session.objects.filter(pk=session_id).values_list("head_seq", "state", "pruned_to")
    found = row.first()
    if found is None:
        raise UnknownSession
    head, state, pruned_to = found
    return Boundary(head, SessionState(state), pruned_to)


def prune(
    session_id: UUID, *, before: datetime, limit: int, after: int = 0, dry_run: bool = False
) -> Pruned:
    """Remove pieces of finished messages appended before a time, seq ascending, at most limit.

    The one door by which events leave: the whole is in block_end and tool_result, and pruned_to
    tells readers that a range has gaps. Repeat it after the last one until there is none: a
    repetition from the start would look at every event again that stays. Raises UnknownSession.
    """
    # Found without the lock: there may be a long way from one piece to the next.
    rows = _pieces(_for_pruning(session_id), before).filter(seq__gt=after)
    seqs = list(rows.order_by("seq").values_list("seq", flat=True)[:limit])
    if not seqs or dry_run:
        return Pruned(len(seqs), seqs[-1] if seqs else None)
    with transaction.atomic():
        # The row lock holds appends off: no message can end or begin meanwhile.
        session = _for_pruning(session_id, is_locked=True)
        doomed = _pieces(session, before).filter(seq__gte=seqs[0], seq__lte=seqs[-1])
        # The query set's own delete refuses, as it must; this is its only way around.
        removed = doomed._raw_delete(doomed.db)  # noqa: SLF001
        if removed:
            pruned_to = max(session.pruned_to, seqs[-1])
            Session.objects.filter(pk=session_id).update(pruned_to=pruned_to)
    return Pruned(removed, seqs[-1])


def _for_pruning(session_id: UUID, *, is_locked: bool = False) -> Session:
    rows = Session.objects.select_for_update(no_key=True) if is_locked else Session.objects.all()
    session = rows.filter(pk=session_id).first()
    if session is None:
        raise UnknownSession
    return session


def _pieces(session: Session, before: datetime) -> QuerySet[Event]:
    """Return the old pieces of a session, without those of the answer in flight."""
    rows = Event.objects.filter(session=session, type__in=PIECES, ts__lt=before)
    in_flight = session.live.get("currentSeq")
    return rows if in_flight is None else rows.filter(seq__lt=in_flight)


def _weighed(rows: QuerySet[Event], limit: int) -> Generator[weight.Weighed, None, None]:
    return weight.weighed(rows.order_by("seq")[:limit], "payload", at_once=ROWS_WEIGHED)


def _found(session_id: UUID, drafts: Sequence[Draft], tried_after: int | None) -> list[LoggedEvent]:
    """Return the events of these drafts when a try whose answer was lost did append them."""
    if tried_after is None:
        return []
    # The row lock makes sure that the lost try has either committed or will never.
    Session.objects.select_for_update(no_key=True).filter(pk=session_id).first()
    events = read(session_id, after=tried_after, limit=10_000)
    wanted = [(draft.type, draft.payload) for draft in drafts]
    for start in range(len(events) - len(wanted) + 1):
        run = events[start : start + len(wanted)]
        if [(event.type, event.payload) for event in run] == wanted:
            return run
    return []


def _refusal(session_id: UUID) -> LeaseLost | UnknownSession:
    """Return the reason for which no row took the drafts."""
    known = Session.objects.filter(pk=session_id).exists()
    return LeaseLost() if known else UnknownSession()


def _numbered(row: Session, drafts: Sequence[Draft], now: datetime) -> list[LoggedEvent]:
    """Return the events of drafts whose seqs a session's row has taken."""
    first = row.head_seq - len(drafts) + 1
    return [
        LoggedEvent(row.pk, first + place, draft.type, now, draft.payload)
        for place, draft in enumerate(drafts)
    ]


def _advance_head(
    session_id: UUID, drafts: Sequence[Draft], lease: Lease | None, now: datetime
) -> Session | None:
    """Take the next seqs under the session's row lock, in one statement.

    Return the row, so much of it as the projection of these drafts reads; None when no row fits.
    """
    meta = Session._meta  # noqa: SLF001 (documented API of Django in spite of its name)
    sql = f"UPDATE {meta.db_table} SET head_seq = head_seq + %s"  # noqa: S608 (our own table's name)
    params: list[Any] = [len(drafts)]
    # A state that changes by watchers or by a restart is no activity: it would shuffle the list.
    if any(draft.type != EventType.SESSION_STATE_CHANGED for draft in drafts):
        sql += ", last_activity_at = %s"
        params.append(meta.get_field("last_activity_at").get_db_prep_value(now, connection))
    sql += " WHERE id = %s"
    params.append(meta.pk.get_db_prep_value(session_id, connection))
    if lease is not None:
        sql += " AND runner_id = %s AND lease_epoch = %s"
        params += [lease.runner_id, lease.epoch]
    columns = ", ".join(projection.columns([draft.type for draft in drafts]))
    return next(iter(Session.objects.raw(f"{sql} RETURNING {columns}", params)), None)


def _insert(events: Sequence[LoggedEvent]) -> None:
    """Write the rows, by one prepared statement: the ORM takes several times as long."""
    if not events:
        return
    meta = Event._meta  # noqa: SLF001 (documented API of Django in spite of its name)
    # Each has the name of its part of a LoggedEvent.
    fields = [field for field in meta.concrete_fields if not field.primary_key]
    columns = ", ".join(str(field.column) for field in fields)
    places = ", ".join("%s" for _ in fields)
    sql = f"INSERT INTO {meta.db_table} ({columns}) VALUES ({places})"  # noqa: S608 (our own table's names)
    rows = [
        [field.get_db_prep_save(getattr(event, field.attname), connection) for field in fields]
        for event in events
    ]
    with connection.cursor() as cursor:
        cursor.executemany(sql, rows)


def _announce(session_id: UUID, events: list[LoggedEvent]) -> None:
    """Tell the listeners of this process; one that fails does not stop the others."""
    outcomes = committed.send_robust(
        sender=Session, session_id=session_id, head=events[-1].seq, events=events
    )
    for listener, outcome in outcomes:
        if isinstance(outcome, Exception):
            logger.error(
                "a listener of the log failed",
                extra={"session": str(session_id), "listener": repr(listener)},
                exc_info=outcome,
            )
