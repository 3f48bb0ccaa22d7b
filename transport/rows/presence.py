"""The watchers of a session, over all devices and processes. Its state follows from them."""

from __future__ import annotations

import logging
from collections.abc import Collection
from contextlib import suppress
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Q

from sessions.control.lifecycle import locked, set_presence, watched_state
from sessions.core.db import AWAY
from sessions.core.errors import UnknownSession
from sessions.core.states import SessionState
from sessions.models import Session
from transport.models import Watch
from transport.rows.connections import live_connections

logger = logging.getLogger(__name__)


def refresh(session_ids: Collection[UUID]) -> None:
    """Count the watchers of sessions over all processes and tell the sessions' side.

    Two queries when nothing has changed, as for most of a reconnecting crowd. Raises
    when the database is away: then count all of them again. A session that fails for another
    reason is logged.
    """
    if not session_ids:
        return
    counted = _count(session_ids)
    rows = Session.objects.filter(pk__in=session_ids)
    for pk, state, *known in rows.values_list("pk", "state", "foreground", "background"):
        foreground, background = counted.get(pk, (0, 0))
        belongs = watched_state(SessionState(state), foreground=foreground, background=background)
        if [foreground, background] != known or belongs != state:
            _guarded_set(pk)


def _guarded_set(session_id: UUID) -> None:
    try:
        _set(session_id)
    except AWAY:
        raise
    except Exception:
        logger.exception(
            "watchers of a session were not counted", extra={"session": str(session_id)}
        )


def _set(session_id: UUID) -> None:
    """Count one session's watchers again under its row lock: another process may do the same."""
    with suppress(UnknownSession), transaction.atomic():
        locked(session_id)
        foreground, background = _count([session_id]).get(session_id, (0, 0))
        set_presence(session_id, foreground=foreground, background=background)


def _count(session_ids: Collection[UUID]) -> dict[UUID, tuple[int, int]]:
    """Return (foreground, background) of each session that is watched at all."""
    rows = (
        Watch.objects.filter(
            session_id__in=session_ids,
            closed_at__isnull=True,
            connection__in=live_connections(),
        )
        .values("session_id")
        .annotate(
            foreground=Count("pk", filter=Q(background=False)),
            behind=Count("pk", filter=Q(background=True)),
        )
        .order_by()
    )
    return {row["session_id"]: (row["foreground"], row["behind"]) for row in rows}
