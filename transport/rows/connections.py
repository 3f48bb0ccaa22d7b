"""Connection and Watch rows: opened, ordered, renewed, closed and reaped.

Everything here is one short synchronous transaction and may run in any process. What the owner
of a stream must do is left as an order in the row; transport.live.node carries it out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from sessions.access.credentials import login_prefix, revoked
from sessions.core.conf import chat
from sessions.core.db import relaxed
from sessions.core.errors import (
    TooManyConnections,
    TooManyWatches,
    UnknownConnection,
    UnknownSession,
)
from sessions.core.host import PROCESS, is_dead_here
from sessions.eventlog import store
from sessions.models import Session
from transport.models import Connection, Watch

# More probes than this at once is a client that does not wait for its answers.
MAX_PROBES: Final = 8
NO_PINGS: Final[Mapping[UUID, datetime | None]] = {}


@dataclass(frozen=True, slots=True)
class Opened:
    """A new connection: what it watches, and what it may not watch."""

    id: UUID
    accepted: list[tuple[UUID, int | None]]
    rejected: list[UUID]


@dataclass(frozen=True, slots=True)
class Ordered:
    """An order that waits in a Watch row."""

    connection_id: UUID
    session_id: UUID
    kind: Watch.Order
    cursor: int | None
    version: int
    upto: int | None
    max_gap: int | None


@dataclass(frozen=True, slots=True)
class Progress:
    """What the owner of a stream writes into a Watch row; replayed and skipped are added."""

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


@relaxed()
def open_connection(
    user: Any,
    *,
    user_agent: str,
    watches: Sequence[tuple[UUID, int | None]],
    credential: str = "",
) -> Opened:
    """Make the rows of a new stream. Raises TooManyConnections, TooManyWatches.

    credential: what let it in, as of sessions.access.credentials.
    """
    wanted = dict(watches)
    if len(wanted) > chat.MAX_WATCHES:
        raise TooManyWatches(limit=chat.MAX_WATCHES)
    now = timezone.now()
    with transaction.atomic():
        # The row lock makes the count exact when one user opens many streams at once.
        get_user_model().objects.select_for_update(no_key=True).filter(pk=user.pk).first()
        if live_connections(now).filter(user=user).count() >= chat.MAX_CONNECTIONS_PER_USER:
            raise TooManyConnections(limit=chat.MAX_CONNECTIONS_PER_USER)
        mine = set(_own_sessions(user.pk, wanted))
        accepted = [(sid, cursor) for sid, cursor in wanted.items() if sid in mine]
        connection = Connection.objects.create(
            user=user,
            process=PROCESS,
            user_agent=user_agent[:200],
            credential=credential,
            opened_at=now,
            last_seen_at=now,
            # A page that opens with one session shows it.
            shown_id=accepted[0][0] if len(accepted) == 1 else None,
        )
        Watch.objects.bulk_create(
            # The stream itself carries the first order out: the rows are born with it done.
            Watch(
                connection=connection,
                session_id=sid,
                opened_at=now,
                order_cursor=cursor,
                done_version=1,
            )
            for sid, cursor in accepted
        )
    return Opened(connection.pk, accepted, [sid for sid in wanted if sid not in mine])


def live_connections(now: datetime | None = None) -> QuerySet[Connection]:
    """Return the connections that are open and whose process still renews them."""
    expiry = (now or timezone.now()) - timedelta(seconds=chat.LEASE_S)
    return Connection.objects.filter(closed_at__isnull=True, last_seen_at__gte=expiry)


def require(connection_id: UUID, user: Any) -> Connection:
    """Return an open connection of this user. Raises UnknownConnection."""
    found = live_connections().filter(pk=connection_id, user=user).first()
    if found is None:
        raise UnknownConnection
    return found


def order(
    connection: Connection,
    session_id: UUID,
    kind: Watch.Order,
    *,
    cursor: int | None = None,
    only_new: bool = False,
) -> bool:
    """Watch a session, or catch it up again; return whether an order was left.

    A page that is hidden stays so, unless it resumes: it may well repair what it shows to nobody.
    only_new leaves a watch that is open already alone. Raises UnknownSession, TooManyWatches.
    """
    now = timezone.now()
    with transaction.atomic():
        _lock(connection)
        if not _own_sessions(connection.user_id, [session_id]):
            raise UnknownSession(sessionId=str(session_id))
        row = Watch.objects.filter(connection=connection, session_id=session_id).first()
        is_open = row is not None and row.closed_at is None
        if is_open and only_new:
            return False
        if not is_open and _count_open(connection) >= chat.MAX_WATCHES:
            raise TooManyWatches(limit=chat.MAX_WATCHES)
        if row is None:
            Watch.objects.create(
                connection=connection,
                session_id=session_id,
                opened_at=now,
                order=kind,
                order_cursor=cursor,
            )
        else:
            stays_hidden = is_open and kind is not Watch.Order.RESUME
            Watch.objects.filter(pk=row.pk).update(
                closed_at=None,
                background=F("background") if stays_hidden else False,
                order=kind,
                order_cursor=cursor,
                order_version=F("order_version") + 1,
            )
    return True


def order_resync(watches: QuerySet[Watch]) -> int:
    """Order a catch-up of open watches from wherever their streams are; return how many."""
    still_open = watches.filter(closed_at__isnull=True).values_list("pk", flat=True)
    return Watch.objects.filter(pk__in=list(still_open)).update(
        order=Watch.Order.RESYNC, order_version=F("order_version") + 1
    )


def unwatch(connection: Connection, session_id: UUID) -> bool:
    """End a watch; return whether there was one."""
    ended = Watch.objects.filter(
        connection=connection, session_id=session_id, closed_at__isnull=True
    ).update(
        closed_at=timezone.now(),
        order=Watch.Order.UNWATCH,
        order_version=F("order_version") + 1,
    )
    return bool(ended)


def switch(connection: Connection, session_id: UUID | None) -> list[UUID]:
    """Show another session, or none; return the sessions whose watchers changed.

    Raises UnknownSession, TooManyWatches: then nothing has changed.
    """
    with transaction.atomic():
        before = _lock(connection).shown_id
        changed = []
        # First, since the one that is left makes room for the other.
        if before is not None and before != session_id and unwatch(connection, before):
            changed.append(before)
        if session_id is not None and order(
            connection, session_id, Watch.Order.RESYNC, only_new=True
        ):
            changed.append(session_id)
        Connection.objects.filter(pk=connection.pk).update(shown_id=session_id)
    return changed


def suspend(connection: Connection, cursors: dict[UUID, int | None]) -> None:
    """Note that nobody looks at these sessions here, and what the client has applied."""
    acknowledge(connection, cursors)
    Watch.objects.filter(
        connection=connection, session_id__in=cursors, closed_at__isnull=True
    ).update(background=True)


@relaxed()
def acknowledge(connection: Connection, cursors: dict[UUID, int | None]) -> None:
    """Note what the client has applied. A late acknowledgement never lowers an earlier one."""
    # Nobody can have applied what is not in the log.
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


@relaxed()
def add_probe(connection: Connection, nonce: str) -> None:
    """Leave a nonce that the owner sends back over the stream."""
    with transaction.atomic():
        locked = _lock(connection)
        probes = [*locked.probes, nonce][-MAX_PROBES:]
        Connection.objects.filter(pk=locked.pk).update(probes=probes)


@relaxed()
def take_probes(connection_ids: Collection[UUID]) -> dict[UUID, list[str]]:
    """Return the nonces that wait at connections of this process, and remove them."""
    waiting = Connection.objects.filter(pk__in=connection_ids).exclude(probes=[])
    if not waiting.exists():
        return {}
    with transaction.atomic():
        taken = {row.pk: row.probes for row in waiting.select_for_update(no_key=True)}
        Connection.objects.filter(pk__in=taken).update(probes=[])
    return taken


def pending_orders(connection_ids: Collection[UUID] | None = None) -> list[Ordered]:
    """Return the orders that wait for this process, or for some of its connections."""
    rows = Watch.objects.filter(order_version__gt=F("done_version"))
    if connection_ids is None:
        rows = rows.filter(connection__process=PROCESS, connection__closed_at__isnull=True)
    else:
        rows = rows.filter(connection_id__in=connection_ids)
    fields = ("connection_id", "session_id", "order", "order_cursor", "order_version")
    return [
        Ordered(connection_id, session_id, Watch.Order(kind), cursor, version, upto, max_gap)
        for connection_id, session_id, kind, cursor, version, upto, max_gap in rows.values_list(
            *fields, "order_upto", "order_max_gap"
        )
    ]


def waiting_probes() -> list[UUID]:
    """Return the connections of this process with a nonce to send back."""
    rows = Connection.objects.filter(process=PROCESS, closed_at__isnull=True).exclude(probes=[])
    return list(rows.values_list("pk", flat=True))


@relaxed()
def flush(progress: Iterable[Progress], pings: Mapping[UUID, datetime | None] = NO_PINGS) -> None:
    """Write what streams have sent into their rows, in one transaction.

    pings: when the readers of streams have last taken one.
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


@relaxed()
def renew(streaming: Collection[UUID]) -> set[UUID]:
    """Renew the leases of streams of this process; return those that may go on.

    One that is missing was reaped, or what let it in lets nobody in any more: end it. A row
    without a stream is left to run out, whatever kept it from being closed.
    """
    mine = Connection.objects.filter(process=PROCESS, closed_at__isnull=True)
    fields = ("pk", "credential", "user__password", "user__is_active")
    rows = list(mine.values_list(*fields))
    left = [pk for pk, *_ in rows if pk not in streaming]
    mine.exclude(pk__in=left).update(last_seen_at=timezone.now())
    bad = revoked((credential, password) for _, credential, password, _ in rows if credential)
    may_go_on = {pk for pk, credential, _, is_active in rows if is_active and credential not in bad}
    return may_go_on.intersection(streaming)


def close_of_login(session_key: str) -> list[UUID]:
    """Close the connections of a log-in that has ended; their owners end the streams."""
    return _close(Q(credential__startswith=login_prefix(session_key)), "logged out")


def close(connection_id: UUID, reason: str) -> list[UUID]:
    """Close one connection and its watches; return the sessions that it watched."""
    return _close(Q(pk=connection_id), reason)


def reap(now: datetime | None = None) -> list[UUID]:
    """Close the connections whose process is gone; return the sessions that they watched."""
    expiry = (now or timezone.now()) - timedelta(seconds=chat.LEASE_S)
    gone = Q(last_seen_at__lt=expiry) | Q(process__in=_dead_processes_here())
    return _close(gone, "process gone")


def forget_closed(*, older_than_s: float) -> int:
    """Delete rows of connections that were closed long ago; return how many."""
    limit = timezone.now() - timedelta(seconds=older_than_s)
    return Connection.objects.filter(closed_at__lt=limit).delete()[0]


def _own_sessions(user_id: Any, session_ids: Iterable[UUID]) -> list[UUID]:
    rows = Session.objects.filter(owner_id=user_id, pk__in=list(session_ids))
    return list(rows.values_list("pk", flat=True))


def _lock(connection: Connection) -> Connection:
    locked = Connection.objects.select_for_update(no_key=True).filter(pk=connection.pk).first()
    if locked is None or locked.closed_at is not None:
        raise UnknownConnection
    return locked


def _count_open(connection: Connection) -> int:
    return Watch.objects.filter(connection=connection, closed_at__isnull=True).count()


@relaxed()
def _close(which: Q, reason: str) -> list[UUID]:
    now = timezone.now()
    with transaction.atomic():
        ids = list(
            Connection.objects.select_for_update(no_key=True)
            .filter(which, closed_at__isnull=True)
            .values_list("pk", flat=True)
        )
        watches = Watch.objects.filter(connection_id__in=ids, closed_at__isnull=True)
        watched = list(watches.values_list("session_id", flat=True).distinct())
        watches.update(closed_at=now)
        Connection.objects.filter(pk__in=ids).update(closed_at=now, close_reason=reason)
    return watched


def _dead_processes_here() -> list[str]:
    """Return the processes of this host that hold open connections and no longer run."""
    names = Connection.objects.filter(closed_at__isnull=True).values_list("process", flat=True)
    return [name for name in names.distinct() if is_dead_here(name)]
