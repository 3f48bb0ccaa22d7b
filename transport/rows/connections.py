"""Connection rows: opened with their watches, looked up, and renewed as leases.

Everything in this package is one short synchronous transaction and may run in any process. The
owner of a stream finds its orders in the rows; transport.live.node carries them out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Count, QuerySet
from django.utils import timezone

from sessions.access.credentials import revoked
from sessions.core.conf import chat
from sessions.core.db import without_fsync
from sessions.core.host import process_name
from sessions.models import Session
from transport.errors import RETRY_AFTER_S, TooManyConnections, TooManyWatches, UnknownConnection
from transport.models import Connection, Watch


@dataclass(frozen=True, slots=True)
class Opened:
    """A new connection, with the sessions that it watches and those that it may not watch."""

    id: UUID
    accepted: list[tuple[UUID, int | None]]
    rejected: list[UUID]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A stream to open. credential: as of sessions.access.credentials.credential_of."""

    user: Any
    user_agent: str
    watches: Sequence[tuple[UUID, int | None]]
    credential: str = ""


def open_connection(
    user: Any,
    *,
    user_agent: str,
    watches: Sequence[tuple[UUID, int | None]],
    credential: str = "",
) -> Opened:
    """Make the rows of a new stream. Raises TooManyConnections, TooManyWatches."""
    [outcome] = open_all([Wanted(user, user_agent, watches, credential)])
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


@without_fsync()
def open_all(wanted: Sequence[Wanted]) -> list[Opened | Exception]:
    """Make the rows of new streams in one transaction of six statements, however many they are.

    Return the rows or the refusal of each, in order; a refusal does not stop the others.
    """
    now = timezone.now()
    with transaction.atomic():
        taken = _counted({one.user.pk for one in wanted}, now)
        mine = _owned(wanted)
        outcomes = [_opened(one, taken, mine, now) for one in wanted]
        opened = [one for one in outcomes if not isinstance(one, Exception)]
        Connection.objects.bulk_create(row for row, _ in opened)
        Watch.objects.bulk_create(watch for row, each in opened for watch in _watches(row, each))
    return [one if isinstance(one, Exception) else one[1] for one in outcomes]


def _counted(user_ids: Collection[int], now: datetime) -> Counter[int]:
    """Return the live connections of each user, whose rows are locked."""
    # The row locks make the counts exact when one user opens many streams at once.
    users = get_user_model().objects.select_for_update(no_key=True).filter(pk__in=user_ids)
    list(users.order_by("pk").values_list("pk"))
    counted = live_connections(now).filter(user_id__in=user_ids).values_list("user_id")
    return Counter(dict(counted.annotate(Count("pk")).order_by()))


def _owned(wanted: Sequence[Wanted]) -> set[tuple[int, UUID]]:
    """Return the owners of the sessions that are asked for."""
    asked = {session_id for one in wanted for session_id, _ in one.watches}
    rows = Session.objects.filter(owner_id__in={one.user.pk for one in wanted}, pk__in=asked)
    return set(rows.values_list("owner_id", "pk"))


def _opened(
    wanted: Wanted, taken: Counter[int], mine: set[tuple[int, UUID]], now: datetime
) -> tuple[Connection, Opened] | Exception:
    """Return the row of a stream, not yet stored, or its refusal; count it in taken."""
    watches = dict(wanted.watches)
    if len(watches) > chat.MAX_WATCHES:
        return TooManyWatches(limit=chat.MAX_WATCHES)
    user_id = wanted.user.pk
    if taken[user_id] >= chat.MAX_CONNECTIONS_PER_USER:
        return TooManyConnections(limit=chat.MAX_CONNECTIONS_PER_USER, retryAfter=RETRY_AFTER_S)
    taken[user_id] += 1
    accepted = [(sid, cursor) for sid, cursor in watches.items() if (user_id, sid) in mine]
    row = Connection(
        user_id=user_id,
        process=process_name(),
        user_agent=wanted.user_agent[:200],
        credential=wanted.credential,
        opened_at=now,
        last_seen_at=now,
        # A page that opens with one session shows it.
        shown_id=accepted[0][0] if len(accepted) == 1 else None,
    )
    return row, Opened(row.pk, accepted, [sid for sid in watches if (user_id, sid) not in mine])


def _watches(row: Connection, opened: Opened) -> Iterator[Watch]:
    """Yield the watches of a new stream, not yet stored."""
    for session_id, cursor in opened.accepted:
        # The stream itself carries the first order out: the rows are born with it done.
        yield Watch(
            connection=row,
            session_id=session_id,
            opened_at=row.opened_at,
            order_cursor=cursor,
            done_version=1,
        )


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
    mine = Connection.objects.filter(process=process_name(), closed_at__isnull=True)
    fields = ("pk", "credential", "user__password", "user__is_active")
    rows = list(mine.values_list(*fields))
    left = [pk for pk, *_ in rows if pk not in streaming]
    mine.exclude(pk__in=left).update(last_seen_at=timezone.now())
    bad = revoked((credential, password) for _, credential, password, _ in rows if credential)
    may_continue = {
        pk for pk, credential, _, is_active in rows if is_active and credential not in bad
    }
    return may_continue.intersection(streaming)
