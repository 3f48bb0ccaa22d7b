"""The filling of the index: messages of before it are added by searches or by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.db import transaction

from sessions.models import SearchIndex
from sessions.search import engine

# One portion is a transaction that holds other writes off for some milliseconds.
PORTION: Final = 500


def is_whole() -> bool:
    """Return whether every message is in the index."""
    return SearchIndex.objects.filter(is_whole=True).exists()


def fill_some(limit: int = PORTION) -> bool:
    """Add the next messages; return whether the index is whole by now."""
    with transaction.atomic():
        index, _ = SearchIndex.objects.select_for_update(no_key=True).get_or_create(pk=1)
        if index.is_whole:
            return True
        last = engine.current().fill(index.filled_to, limit)
        index.is_whole, index.filled_to = last is None, last or index.filled_to
        index.save(update_fields=["is_whole", "filled_to"])
        return index.is_whole


def rebuild(told: Callable[[int], None]) -> None:
    """Make the index again from nothing. told: hears the last row of each portion."""
    with transaction.atomic():
        engine.current().clear()
        SearchIndex.objects.update_or_create(pk=1, defaults={"is_whole": False, "filled_to": 0})
    while not fill_some():
        told(SearchIndex.objects.values_list("filled_to", flat=True).get(pk=1))
