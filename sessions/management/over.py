"""The sessions that a command goes over, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from uuid import UUID

from django.db.models import Sum

from sessions.models import Session

PAGE: Final = 500


def events(only: UUID | None) -> int:
    """Return the sum of the heads: how far a pass over the sessions has to go."""
    rows = Session.objects.all() if only is None else Session.objects.filter(pk=only)
    return rows.aggregate(total=Sum("head_seq"))["total"] or 0


def sessions(only: UUID | None) -> Iterator[tuple[UUID, int]]:
    """Yield (id, head) of each session, or of one alone. The order is that of the ids.

    No query stays open between two pages: the caller writes meanwhile.
    """
    if only is not None:
        yield only, events(only)
        return
    rows = Session.objects.order_by("pk").values_list("pk", "head_seq")
    page = list(rows[:PAGE])
    while page:
        yield from page
        page = list(rows.filter(pk__gt=page[-1][0])[:PAGE])
