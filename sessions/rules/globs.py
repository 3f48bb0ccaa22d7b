"""Globs of paths, matched name by name: `*` and `?` within a name, `**` over any folders. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final

ANY_DEPTH: Final = "**"
_WILD: Final = frozenset("*?[")


@lru_cache(maxsize=1_024)
def names_of(glob: str) -> tuple[str, ...]:
    """Return the names of a glob; one without a slash is looked for at every depth."""
    names = tuple(name for name in glob.split("/") if name)
    return names if "/" in glob.rstrip("/") else (ANY_DEPTH, *names)


def matches(glob: str, names: Sequence[str], *, is_strict: bool) -> bool:
    """Return whether the names of a path match.

    is_strict: a wildcard stands for no name that begins with a dot. Otherwise everything below a
    folder that matches does, too.
    """
    ends = _ends(names_of(glob), names, is_strict=is_strict)
    return len(names) in ends or (not is_strict and any(end > 0 for end in ends))


def _ends(wanted: Sequence[str], names: Sequence[str], *, is_strict: bool) -> set[int]:
    """Return how many names all of the glob can take: the product of both lengths at most."""
    ends = {0}
    for glob in wanted:
        if glob == ANY_DEPTH:
            ends = _over_folders(ends, names, is_strict=is_strict)
        else:
            fits = (end for end in ends if end < len(names))
            ends = {end + 1 for end in fits if _fits(glob, names[end], is_strict=is_strict)}
        if not ends:
            break
    return ends


def _over_folders(ends: set[int], names: Sequence[str], *, is_strict: bool) -> set[int]:
    found = set(ends)
    for end, name in enumerate(names):
        if end in found and not (is_strict and name.startswith(".")):
            found.add(end + 1)
    return found


def _fits(glob: str, name: str, *, is_strict: bool) -> bool:
    if is_strict and name.startswith(".") and not glob.startswith("."):
        return False
    return fnmatchcase(name, glob) if _WILD & set(glob) else name == glob
