"""Skips whose events were not shown. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Skips:
    """Skips of any session. One that was cut off before its snapshot comes again, longer."""

    def __init__(self) -> None:
        # Session and first seq → last seq.
        self._last: dict[tuple[str, int], int] = {}

    def add(self, frame: Mapping[str, Any]) -> str:
        """Note a skip; return the line about it."""
        first, last = frame["from"], frame["to"]
        self._last[frame["sessionId"], first] = last
        count = last - first + 1
        return (
            f"[{count:,} {'update' if count == 1 else 'updates'} came while you were away:"
            " :skipped shows them; the text below is complete again]"
        )

    def of(self, session_id: str | None) -> list[tuple[int, int]]:
        """Return the skips of a session, as (first, last) seq."""
        found = [(first, last) for (name, first), last in self._last.items() if name == session_id]
        return sorted(found)

    def shown(self, session_id: str | None, first: int) -> None:
        """Note that the events of a skip were shown."""
        self._last.pop((session_id or "", first), None)
