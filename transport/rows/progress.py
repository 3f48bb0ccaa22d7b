"""Progress: how far each stream has sent, and how far its client has applied."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F

from sessions.core.db import without_fsync
from sessions.eventlog import store
from transport.models import Connection, Watch

NO_PINGS: Final[Mapping[UUID, datetime | None]] = {}


@dataclass(frozen=True, slots=True)
class Progress:
    """A report of a stream for one Watch row; replayed and skipped are added to the row's."""

    connection_id: UUID
    session_id: UUID
    cursor_sent: int | None
    replayed: int
    skipped: int
    decision: str
    decided_at: datetime | None
    done_version: int

    @property
    def is_more_than_a_cursor(self) -> bool:
        """Whether there is news besides how far the stream has got."""
        counted = self.replayed or self.skipped
        return bool(counted or self.decided_at or self.cursor_sent is None)

    def then(self, newer: Progress) -> Progress:
        """Return this report and a newer one of the same watch as one."""
        decided = newer if newer.decided_at else self
        return replace(
            newer,
            replayed=self.replayed + newer.replayed,
            skipped=self.skipped + newer.skipped,
            decision=decided.decision,
            decided_at=decided.decided_at,
        )


@without_fsync()
def flush(progress: Iterable[Progress], pings: Mapping[UUID, datetime | None] = NO_PINGS) -> None:
    """Write the progress of streams into their rows, in one transaction.

    pings: the time at which each stream's client last took one.
    """
    merged: dict[tuple[UUID, UUID], Progress] = {}
    for item in progress:
        key = (item.connection_id, item.session_id)
        merged[key] = merged[key].then(item) if key in merged else item
    with transaction.atomic():
        for item in merged.values():
            if item.is_more_than_a_cursor:
                _write(item)
        _write_cursors([item for item in merged.values() if not item.is_more_than_a_cursor])
        _write_pings(pings)


def _write(item: Progress) -> None:
    values: dict[str, Any] = {"done_version": item.done_version}
    if item.cursor_sent is not None:
        values["cursor_sent"] = item.cursor_sent
    if item.replayed or item.skipped:
        values["replayed"] = F("replayed") + item.replayed
        values["skipped"] = F("skipped") + item.skipped
    if item.decided_at is not None:
        values |= {"last_decision": item.decision[:100], "decided_at": item.decided_at}
    Watch.objects.filter(
        connection_id=item.connection_id,
        session_id=item.session_id,
        order_version__gte=item.done_version,
    ).update(**values)


def _write_cursors(progress: Sequence[Progress]) -> None:
    """Write new cursors, nearly all there is to write; appends wait behind this transaction."""
    if not progress:
        return
    meta = Watch._meta  # noqa: SLF001 (documented API of Django in spite of its name)
    of_connection = meta.get_field("connection").get_db_prep_value
    of_session = meta.get_field("session").get_db_prep_value
    # By the ORM each row takes ten times as long, and holds SQLite's write lock meanwhile.
    sql = (
        f"UPDATE {meta.db_table} SET cursor_sent = %s, done_version = %s"  # noqa: S608 (our own table's name)
        " WHERE connection_id = %s AND session_id = %s AND order_version >= %s"
    )
    rows = [
        (
            item.cursor_sent,
            item.done_version,
            of_connection(item.connection_id, connection),
            of_session(item.session_id, connection),
            item.done_version,
        )
        for item in progress
    ]
    with connection.cursor() as cursor:
        cursor.executemany(sql, rows)


def _write_pings(pings: Mapping[UUID, datetime | None]) -> None:
    if not pings:
        return
    meta = Connection._meta  # noqa: SLF001 (as above)
    of_id = meta.get_field("id").get_db_prep_value
    of_time = meta.get_field("pinged_at").get_db_prep_value
    sql = f"UPDATE {meta.db_table} SET pinged_at = %s WHERE id = %s"  # noqa: S608 (as above)
    rows = [(of_time(at, connection), of_id(pk, connection)) for pk, at in pings.items()]
    with connection.cursor() as cursor:
        cursor.executemany(sql, rows)


def suspend(connection: Connection, cursors: dict[UUID, int | None]) -> None:
    """Note that these sessions are in the background here, and the client's own cursors."""
    acknowledge(connection, cursors)
    Watch.objects.filter(
        connection=connection, session_id__in=cursors, closed_at__isnull=True
    ).update(background=True)


@without_fsync()
def acknowledge(connection: Connection, cursors: dict[UUID, int | None]) -> None:
    """Note the cursors that a client has applied. A late one never lowers an earlier one."""
    # An event that is not in the log cannot have been applied.
    heads = store.heads(cursors)
    for session_id, cursor in cursors.items():
        applied = min(cursor or 0, heads.get(session_id, 0))
        if applied:
            Watch.objects.filter(
                connection=connection,
                session_id=session_id,
                closed_at__isnull=True,
                cursor_acked__lt=applied,
            ).update(cursor_acked=applied)
