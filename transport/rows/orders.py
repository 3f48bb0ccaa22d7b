"""Orders: a command leaves work for the owner of the stream in a Watch row.

The owner may be another process. It carries the newest order out and notes its version.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from sessions.core.conf import chat
from sessions.core.errors import UnknownSession
from sessions.core.host import process_name
from transport.errors import TooManyWatches
from transport.models import Connection, Watch
from transport.rows.connections import lock_open, own_sessions

_FROM_CLIENT = frozenset({Watch.Order.WATCH, Watch.Order.RESUME, Watch.Order.RECONNECT})


@dataclass(frozen=True, slots=True)
class CatchUpRequest:
    """One session is to be caught up on one stream, or left: an order of a row, or a lag.

    cursor: the client's own, for the kinds that a client asks for; the others count from the
    stream's. version: the order in the row that this answers. upto, max_gap: how far periodic
    sync goes, and the gap that it skips at. is_lag: the stream's own wish, for a slow reader.
    """

    kind: Watch.Order
    cursor: int | None = None
    version: int = 0
    upto: int | None = None
    max_gap: int | None = None
    is_lag: bool = False

    @property
    def is_from_client(self) -> bool:
        """Whether the client has named its cursor."""
        return self.kind in _FROM_CLIENT


LAG = CatchUpRequest(Watch.Order.RESYNC, is_lag=True)


class Pending(NamedTuple):
    """An order that waits in a Watch row."""

    connection_id: UUID
    session_id: UUID
    request: CatchUpRequest


def order(
    connection: Connection,
    session_id: UUID,
    kind: Watch.Order,
    *,
    cursor: int | None = None,
    only_new: bool = False,
) -> bool:
    """Watch a session, or catch it up again; return whether an order was left.

    A hidden page stays hidden, unless it resumes: it may well repair its transcript unseen.
    only_new leaves a watch that is open already alone. Raises UnknownSession, TooManyWatches.
    """
    now = timezone.now()
    with transaction.atomic():
        lock_open(connection)
        if not own_sessions(connection.user_id, [session_id]):
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
        before = lock_open(connection).shown_id
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


def pending(connection_ids: Collection[UUID] | None = None) -> list[Pending]:
    """Return the orders that wait for this process, or for some of its connections."""
    rows = Watch.objects.filter(order_version__gt=F("done_version"))
    if connection_ids is None:
        rows = rows.filter(connection__process=process_name(), connection__closed_at__isnull=True)
    else:
        rows = rows.filter(connection_id__in=connection_ids)
    fields = ("order", "order_cursor", "order_version", "order_upto", "order_max_gap")
    return [
        Pending(connection_id, session_id, _request(*stored))
        for connection_id, session_id, *stored in rows.values_list(
            "connection_id", "session_id", *fields
        )
    ]


def _request(
    order: str, cursor: int | None, version: int, upto: int | None, max_gap: int | None
) -> CatchUpRequest:
    kind = Watch.Order(order)
    if kind is not Watch.Order.SYNC:
        # The row still has the limits of the last round of periodic sync.
        upto = max_gap = None
    return CatchUpRequest(kind, cursor, version, upto, max_gap)


def _count_open(connection: Connection) -> int:
    return Watch.objects.filter(connection=connection, closed_at__isnull=True).count()
