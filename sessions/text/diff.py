"""Two texts → a unified diff as lines, bounded in time. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import unified_diff
from typing import Final

# More lines than that are told as wholly replaced: the comparison takes the square of them.
MAX_LINES: Final = 4000
# The lines of the header of difflib.
_HEADER: Final = 2


def difference(before: str | None, after: str) -> list[str]:
    """Return the lines that differ and a few around them, each with its sign; before None: new."""
    old, new = (before or "").splitlines(), after.splitlines()
    if len(old) + len(new) > MAX_LINES:
        return list(_replaced(old, new))
    return list(unified_diff(old, new, lineterm=""))[_HEADER:]


def counts(lines: list[str]) -> str:
    """Return the numbers of added and removed lines, as `+12 -3`."""
    added = sum(line.startswith("+") for line in lines)
    removed = sum(line.startswith("-") for line in lines)
    return f"+{added} -{removed}"


def _replaced(old: list[str], new: list[str]) -> Iterator[str]:
    yield from (f"-{line}" for line in old)
    yield from (f"+{line}" for line in new)
