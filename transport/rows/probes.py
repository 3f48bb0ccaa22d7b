"""Probes: nonces that wait in a Connection row to come back over its stream."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final
from uuid import UUID

from django.db import transaction

from sessions.core.db import without_fsync
from sessions.core.host import process_name
from transport.models import Connection
from transport.rows.connections import lock_open

# A client with more probes than this does not wait for its answers.
MAX_PROBES: Final = 8


@without_fsync()
def add(connection: Connection, nonce: str) -> None:
    """Leave a nonce that the owner sends back over the stream."""
    with transaction.atomic():
        locked = lock_open(connection)
        probes = [*locked.probes, nonce][-MAX_PROBES:]
        Connection.objects.filter(pk=locked.pk).update(probes=probes)


@without_fsync()
def take(connection_ids: Collection[UUID]) -> dict[UUID, list[str]]:
    """Return the nonces that wait at connections of this process, and remove them."""
    probed = Connection.objects.filter(pk__in=connection_ids).exclude(probes=[])
    if not probed.exists():
        return {}
    with transaction.atomic():
        taken = {row.pk: row.probes for row in probed.select_for_update(no_key=True)}
        Connection.objects.filter(pk__in=taken).update(probes=[])
    return taken


def waiting() -> list[UUID]:
    """Return the connections of this process with a nonce to send back."""
    rows = Connection.objects.filter(process=process_name(), closed_at__isnull=True).exclude(
        probes=[]
    )
    return list(rows.values_list("pk", flat=True))
