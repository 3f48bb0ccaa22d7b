"""The files of a folder that a checkpoint has: no ignored ones, through no link, within bounds."""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from sessions.core.conf import chat
from sessions.core.errors import FileRefused, UnknownFile
from sessions.workspace import files, put
from sessions.workspace.changes import program, tree
from sessions.workspace.changes.program import GitFailed
from sessions.workspace.changes.repository import Repository, found
from sessions.workspace.checkpoints.model import NotKept
from sessions.workspace.inside import Inside

MAX_FILES: Final = 50_000
# A larger file is left out: it would be copied at each change.
MAX_FILE_BYTES: Final = 32 * 1024 * 1024
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def of(folder: Inside, allowed: list[Path]) -> dict[str, tree.Facts]:
    """Return the files and links by path. Raises NotKept where there are too many."""
    with found(folder, allowed) as repository:
        if repository is not None:
            return facts_of(folder, _told_by(repository))
    walked, is_cut = tree.walk(folder)
    if is_cut:
        raise NotKept(f"It has more than {tree.MAX_FILES} files, or is too slow to read.")
    return {path: told for path, told in walked.items() if _is_kept(path, told.mode)}


def _told_by(repository: Repository) -> list[str]:
    """Return the files that git follows, and those that it neither follows nor ignores."""
    words = ("ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate", "-z")
    try:
        output = repository.git(*words)
    except GitFailed as exc:
        raise NotKept("Git did not list its files.") from exc
    paths = [os.fsdecode(path) for path in output.split(b"\0") if path]
    if len(output) > program.MAX_BYTES or len(paths) > MAX_FILES:
        raise NotKept(f"It has more than {MAX_FILES} files.")
    return paths


def facts_of(folder: Inside, paths: Iterable[str]) -> dict[str, tree.Facts]:
    """Return those of the paths that are files or links, by their numbers."""
    names: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        place, _, name = path.rpartition("/")
        names[place].append(name)
    told = {}
    for place, inner in names.items():
        try:
            with folder.opened(place) as opened:
                if opened.path != place:
                    continue  # a folder that has become a link
                for name in inner:
                    facts = _facts(name, opened.descriptor)
                    path = f"{place}/{name}" if place else name
                    if facts is not None and _is_kept(path, facts.mode):
                        told[path] = facts
        except (FileRefused, UnknownFile):
            continue
    return told


def read(folder: Inside, path: str) -> tuple[bytes, tree.Facts] | None:
    """Return a file or the target of a link, and its numbers; None where it is closed or gone."""
    place, _, name = path.rpartition("/")
    try:
        with folder.opened(place) as opened:
            if opened.path != place:
                return None
            facts = _facts(name, opened.descriptor)
            if facts is None or not _is_kept(path, facts.mode):
                return None
            if stat.S_ISLNK(facts.mode):
                return os.fsencode(os.readlink(name, dir_fd=opened.descriptor)), facts
            return _content(name, opened.descriptor)
    except (FileRefused, UnknownFile, OSError, ValueError):
        return None


def _content(name: str, folder: int) -> tuple[bytes, tree.Facts] | None:
    descriptor = os.open(name, _READ, dir_fd=folder)
    try:
        told = os.fstat(descriptor)
        if not stat.S_ISREG(told.st_mode):
            return None
        data = files.read_open(descriptor, MAX_FILE_BYTES)
    finally:
        os.close(descriptor)
    return None if data is None else (data, _numbers(told))


def _facts(name: str, folder: int) -> tree.Facts | None:
    try:
        return _numbers(os.stat(name, dir_fd=folder, follow_symlinks=False))
    except (OSError, ValueError):
        return None


def _numbers(told: os.stat_result) -> tree.Facts:
    return tree.Facts(told.st_size, told.st_ctime_ns, told.st_mode)


def _is_kept(path: str, mode: int) -> bool:
    """Return whether a path may be in a checkpoint: git refuses a name of its own in any case."""
    parts = path.split("/")
    is_own = parts[0] == put.OWN or any(part.lower() == ".git" for part in parts)
    return not is_own and (stat.S_ISREG(mode) or stat.S_ISLNK(mode))


def room() -> int:
    """Return the bytes that the files of one checkpoint may have together."""
    return chat.CHECKPOINT_MB * 1_000_000
