"""The files of a folder by their paths: by git's list, else by a walk within bounds."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sessions.workspace.changes import repository
from sessions.workspace.changes.program import GitFailed
from sessions.workspace.inside import Inside

MAX_PATHS: Final = 50_000
MAX_PATH_CHARS: Final = 1_024
WALK_S: Final = 2.0
# Folders whose lists are held, and for how long: a new file is found after this at the latest.
MAX_FOLDERS: Final = 16
FRESH_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Paths:
    """The paths of files, with the same in lower case. is_whole: there are no more."""

    names: list[str]
    lower: list[str]
    is_whole: bool


@dataclass(frozen=True, slots=True)
class _Held:
    paths: Paths
    signs: tuple[int, ...]
    until: float


_held: Final[OrderedDict[Path, _Held]] = OrderedDict()
_lock: Final = threading.Lock()


def of_folder(inside: Inside, allowed: list[Path]) -> Paths:
    """Return the files of an open folder; a list that is young enough is taken again.

    A change of the folder's own entries or of git's index ends a list at once.
    """
    signs = _signs(inside.place)
    with _lock:
        held = _held.get(inside.place)
    if held is not None and held.signs == signs and time.monotonic() < held.until:
        return held.paths
    paths = _listed(inside, allowed)
    with _lock:
        _held[inside.place] = _Held(paths, signs, time.monotonic() + FRESH_S)
        _held.move_to_end(inside.place)
        while len(_held) > MAX_FOLDERS:
            _held.popitem(last=False)
    return paths


def _signs(place: Path) -> tuple[int, ...]:
    """Return numbers that change when files are added here or to git's index."""
    found = []
    for name in (".", ".git/index", ".git/HEAD"):
        try:
            found.append((place / name).stat().st_mtime_ns)
        except OSError:
            found.append(0)
    return tuple(found)


def _listed(inside: Inside, allowed: list[Path]) -> Paths:
    names = _by_git(inside, allowed)
    is_whole = names is not None
    if names is None:
        names, is_whole = _by_walk(inside)
    kept = [name for name in names if len(name) <= MAX_PATH_CHARS and _is_text(name)][:MAX_PATHS]
    return Paths(kept, [name.lower() for name in kept], is_whole and len(names) <= MAX_PATHS)


def _by_git(inside: Inside, allowed: list[Path]) -> list[str] | None:
    """Return the files that git follows or would; None without git."""
    with repository.found(inside, allowed) as found:
        if found is None:
            return None
        try:
            words = ("--cached", "--others", "--exclude-standard", "--deduplicate", "-z")
            output = found.git("ls-files", *words)
        except GitFailed:
            return None
    return [os.fsdecode(name) for name in output.split(b"\0") if name and name[-1:] != b"/"]


def _by_walk(inside: Inside) -> tuple[list[str], bool]:
    """Return the files below a folder; no link is followed. False: a bound ended the walk."""
    names: list[str] = []
    end = time.monotonic() + WALK_S
    for place, folders, files, _ in os.fwalk(".", dir_fd=inside.descriptor, follow_symlinks=False):
        above = place.removeprefix(".").lstrip("/")
        folders[:] = sorted(name for name in folders if name not in {".git", "node_modules"})
        names += [f"{above}/{name}" if above else name for name in sorted(files)]
        if len(names) > MAX_PATHS or time.monotonic() > end:
            return names, False
    return names, True


def _is_text(name: str) -> bool:
    """Return whether a request can name it: a name may hold bytes that are no UTF-8."""
    return name.isprintable() or not any(0xD800 <= ord(sign) <= 0xDFFF for sign in name)
