"""Connection rows: opened with their watches, looked up, and renewed as leases.

Everything in this package is one short synchronous transaction and may run in any process. The
owner of a stream finds its orders in the rows; transport.live.node carries them out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from sessions.access.credentials import revoked
from sessions.core.conf import chat
from sessions.core.db import without_fsync
from sessions.core.host import PROCESS
from sessions.models import Session
from transport.errors import TooManyConnections, TooManyWatches, UnknownConnection
from transport.models import Connection, Watch


@dataclass(frozen=True, slots=True)
class Opened:
    """A new connection, with the sessions that it watches and those that it may not watch."""

    id: UUID
    accepted: list[tuple[UUID, int | None]]
    rejected: list[UUID]


@without_fsync()
def open_connection(
    user: Any,
    *,
    user_agent: str,
    watches: Sequence[tuple[UUID, int | None]],
    credential: str = "",
) -> Opened:
    """Make the rows of a new stream. Raises TooManyConnections, TooManyWatches.

    credential: as of sessions.access.credentials.credential_of.
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
        mine = set(own_sessions(user.pk, wanted))
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


def own_sessions(user_id: Any, session_ids: Iterable[UUID]) -> list[UUID]:
    """Return those of the sessions that belong to a user."""
    rows = Session.objects.filter(owner_id=user_id, pk__in=list(session_ids))
    return list(rows.values_list("pk", flat=True))


def lock_open(connection: Connection) -> Connection:
    """Lock an open connection's row in this transaction. Raises UnknownConnection."""
    locked = Connection.objects.select_for_update(no_key=True).filter(pk=connection.pk).first()
    if locked is None or locked.closed_at is not None:
        raise UnknownConnection
    return locked


@without_fsync()
def renew(streaming: Collection[UUID]) -> set[UUID]:
    """Renew the leases of streams of this process; return those that may continue.

    One that is missing was reaped, or its credential was revoked: end it. A row without a stream
    is left to expire, whatever kept it from being closed.
    """
    mine = Connection.objects.filter(process=PROCESS, closed_at__isnull=True)
    fields = ("pk", "credential", "user__password", "user__is_active")
    rows = list(mine.values_list(*fields))
    left = [pk for pk, *_ in rows if pk not in streaming]
    mine.exclude(pk__in=left).update(last_seen_at=timezone.now())
    bad = revoked((credential, password) for _, credential, password, _ in rows if credential)
    may_continue = {
        pk for pk, credential, _, is_active in rows if is_active and credential not in bad
    }
    return may_continue.intersection(streaming)
