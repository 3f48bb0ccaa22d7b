"""Paths that fit a few letters, the best first. Pure."""

from __future__ import annotations

import heapq
import re
from typing import Final

from sessions.workspace.paths.listing import Paths

MAX_LETTERS: Final = 100
# By how a path fits: its name begins so, its name holds it, its path does, or has the letters.
_BEGINS, _IN_NAME, _IN_PATH, _SCATTERED = range(4)

_Rank = tuple[int, int, int, str]


def best(paths: Paths, letters: str, limit: int) -> list[str]:
    """Return at most limit paths that hold the letters in their order, in any case."""
    wanted = "".join(letters.lower().split())[:MAX_LETTERS]
    if not wanted:
        return heapq.nsmallest(limit, paths.names, key=lambda name: (name.count("/"), name))
    pattern = _pattern(wanted)
    ranks = (
        rank
        for name, lower in zip(paths.names, paths.lower, strict=True)
        if (rank := _rank(name, lower, wanted, pattern)) is not None
    )
    return [rank[-1] for rank in heapq.nsmallest(limit, ranks)]


def _pattern(wanted: str) -> re.Pattern[str]:
    """Return the letters in their order. Each piece stops at its letter: no search runs back."""
    signs = map(re.escape, wanted)
    return re.compile("".join(f"[^{sign}]*{sign}" for sign in signs))


def _rank(name: str, lower: str, wanted: str, pattern: re.Pattern[str]) -> _Rank | None:
    at = lower.rfind(wanted)
    if at < 0:
        found = pattern.match(lower)
        return None if found is None else (_SCATTERED, found.end(), len(lower), name)
    base = lower.rfind("/") + 1
    if at < base:
        return _IN_PATH, len(lower) - at, len(lower), name
    kind = _BEGINS if lower.startswith(wanted, base) else _IN_NAME
    return kind, len(lower) - base, len(lower), name
