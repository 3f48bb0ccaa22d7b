"""A change of a file, in the words of the wire."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Status = Literal["new", "modified", "deleted", "renamed", "binary", "tooLarge"]
# Returns an earlier content, None where it is too large. Raises NotKept.
Before: TypeAlias = Callable[[], bytes | None]

MAX_ROWS: Final = 1_000


class NotKept(Exception):
    """The earlier content of a file was not kept."""


@dataclass(frozen=True, slots=True)
class Change:
    """A file that differs. added, removed: lines, None where they were not counted.

    mode: of the earlier file, as the kernel tells it.
    """

    path: str
    status: Status
    before: Before
    old_path: str | None = None
    added: int | None = None
    removed: int | None = None
    mode: int = 0o100644


def nothing() -> bytes:
    """Return the earlier content of a new file."""
    return b""


def unknown() -> bytes:
    """Raise NotKept: the earlier content is gone."""
    raise NotKept
