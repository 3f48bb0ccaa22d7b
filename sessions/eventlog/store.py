"""The event log: append-only, ordered per session, the only truth.

Nothing else writes events or Session.head_seq. The row lock that an append takes on its session
makes commit order seq order: a reader of seq n can read every seq below it (I1, I2).
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.dispatch import Signal
from django.utils import timezone

from sessions.core import metrics, storage
from sessions.core.errors import LeaseLost, UnknownSession
from sessions.core.states import SessionState
from sessions.eventlog import projection
from sessions.eventlog.events import Draft, EventType, LoggedEvent
from sessions.eventlog.lease import Lease
from sessions.models import Event, Session

logger = logging.getLogger(__name__)

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


@dataclass(frozen=True, slots=True)
class Boundary:
    """A session's head, state and pruned range, read at one moment."""

    head: int
    state: SessionState
    pruned_to: int


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
    new: list[UUID] = []
    with metrics.APPEND_SECONDS.time(), transaction.atomic():
        now = timezone.now()
        # In one order everywhere, so that two group commits cannot lock each other out.
        for session_id in sorted(batches):
            batch = batches[session_id]
            found = _found(session_id, checked[session_id], batch.tried_after)
            outcomes[session_id] = found or _number(
                session_id, checked[session_id], batch.lease, now
            )
            if not found:
                new.append(session_id)
        appended = {
            session_id: made
            for session_id in new
            if isinstance(made := outcomes[session_id], list) and made
        }
        _insert([event for events in appended.values() for event in events])
        for session_id, events in appended.items():
            projection.apply(session_id, events)
            transaction.on_commit(storage.found_room)
            transaction.on_commit(partial(_announce, session_id, events))
    metrics.APPEND_BATCH.observe(sum(len(events) for events in appended.values()))
    return outcomes


def read(
    session_id: UUID,
    *,
    after: int,
    limit: int,
    upto: int | None = None,
    types: Collection[str] | None = None,
) -> list[LoggedEvent]:
    """Return events with after < seq (≤ upto, of types), seq ascending, at most limit."""
    rows = Event.objects.filter(session_id=session_id, seq__gt=after)
    if upto is not None:
        rows = rows.filter(seq__lte=upto)
    if types is not None:
        rows = rows.filter(type__in=types)
    fields = rows.order_by("seq").values_list("seq", "type", "ts", "payload")[:limit]
    return [LoggedEvent(session_id, *row) for row in fields]


def get_head_seq(session_id: UUID) -> int:
    """Return the highest seq of a session, 0 without events or session."""
    return heads([session_id]).get(session_id, 0)


def heads(session_ids: Collection[UUID]) -> dict[UUID, int]:
    """Return the head of each known session in one query."""
    rows = Session.objects.filter(pk__in=session_ids).values_list("pk", "head_seq")
    return dict(rows)


def boundary(session_id: UUID) -> Boundary:
    """Return head, state and pruned range of a session in one query. Raises UnknownSession."""
    row = Session.objects.filter(pk=session_id).values_list("head_seq", "state", "pruned_to")
    found = row.first()
    if found is None:
        raise UnknownSession
    head, state, pruned_to = found
    return Boundary(head, SessionState(state), pruned_to)


def prune(session_id: UUID, *, before: datetime, limit: int, dry_run: bool = False) -> int:
    """Remove deltas of finished messages appended before a time; return how many, at most limit.

    The one door by which events leave: their text is whole in block_end, and pruned_to tells
    readers that a range has gaps. Repeat until it returns less than limit. Raises UnknownSession.
    """
    with transaction.atomic():
        # The row lock holds appends off: no message can end or begin meanwhile.
        session = Session.objects.select_for_update(no_key=True).filter(pk=session_id).first()
        if session is None:
            raise UnknownSession
        deltas = Event.objects.filter(
            session_id=session_id, type=EventType.BLOCK_DELTA, ts__lt=before
        )
        in_flight = session.live.get("currentSeq")
        if in_flight is not None:
            deltas = deltas.filter(seq__lt=in_flight)
        seqs = list(deltas.order_by("seq").values_list("seq", flat=True)[:limit])
        if seqs and not dry_run:
            doomed = deltas.filter(seq__gte=seqs[0], seq__lte=seqs[-1])
            # The query set's own delete refuses, as it must; this is its only way around.
            doomed._raw_delete(doomed.db)  # noqa: SLF001
            pruned_to = max(session.pruned_to, seqs[-1])
            Session.objects.filter(pk=session_id).update(pruned_to=pruned_to)
    return len(seqs)


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


def _number(
    session_id: UUID, drafts: Sequence[Draft], lease: Lease | None, now: datetime
) -> list[LoggedEvent] | LeaseLost | UnknownSession:
    """Take the next seqs under the session's row lock."""
    if not drafts:
        return []
    # A state that changes by watchers or by a restart is no activity: it would shuffle the list.
    is_activity = any(draft.type != EventType.SESSION_STATE_CHANGED for draft in drafts)
    head = _advance_head(session_id, len(drafts), lease, now if is_activity else None)
    if head is None:
        known = Session.objects.filter(pk=session_id).exists()
        return LeaseLost() if known else UnknownSession()
    first = head - len(drafts) + 1
    return [
        LoggedEvent(session_id, first + place, draft.type, now, draft.payload)
        for place, draft in enumerate(drafts)
    ]


def _advance_head(
    session_id: UUID, count: int, lease: Lease | None, active_at: datetime | None
) -> int | None:
    """Raise head_seq by count and return it, or None when no row fits. One statement."""
    meta = Session._meta  # noqa: SLF001 (documented API of Django in spite of its name)
    sql = f"UPDATE {meta.db_table} SET head_seq = head_seq + %s"  # noqa: S608 (our own table's name)
    params: list[Any] = [count]
    if active_at is not None:
        sql += ", last_activity_at = %s"
        field = meta.get_field("last_activity_at")
        params.append(field.get_db_prep_value(active_at, connection))
    sql += " WHERE id = %s"
    params.append(meta.pk.get_db_prep_value(session_id, connection))
    if lease is not None:
        sql += " AND runner_id = %s AND lease_epoch = %s"
        params += [lease.runner_id, lease.epoch]
    with connection.cursor() as cursor:
        cursor.execute(sql + " RETURNING head_seq", params)
        row = cursor.fetchone()
    return None if row is None else row[0]


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
