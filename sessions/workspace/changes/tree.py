"""The files of a folder without git: bounded in number, bytes and time; no link is followed."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from sessions.core.conf import chat
from sessions.core.errors import FileRefused, UnknownFile
from sessions.workspace import files, put
from sessions.workspace.inside import Inside

MAX_FILES: Final = 20_000
WALK_S: Final = 3.0
# Bytes that one list reads to compare files; the opening of each counts, too.
MAX_READ: Final = 64 * 1024 * 1024
_EACH: Final = 4_096
# Folders that programs fill: their content is no one's work.
SKIPPED: Final = frozenset(
    {".git", ".hg", ".svn", "node_modules", ".venv", "venv", "__pycache__", ".mypy_cache"}
    | {".ruff_cache", ".pytest_cache", ".tox", ".cache", ".gradle", ".next"}
)


@dataclass(frozen=True, slots=True)
class Facts:
    """A file by its numbers: changed is the kernel's own time, which no program can set."""

    size: int
    changed: int
    mode: int


def walk(inside: Inside) -> tuple[dict[str, Facts], bool]:
    """Return the files by path, and whether there are more than were looked at."""
    found: dict[str, Facts] = {}
    todo = [""]
    last_s = time.monotonic() + WALK_S
    seen = 0
    while todo:
        place = todo.pop()
        try:
            with inside.opened(place) as folder, os.scandir(folder.descriptor) as entries:
                for entry in entries:
                    seen += 1
                    if seen > MAX_FILES or time.monotonic() > last_s:
                        return found, True
                    path = f"{place}/{entry.name}" if place else entry.name
                    if not entry.is_dir(follow_symlinks=False):
                        with suppress(FileNotFoundError):  # gone meanwhile
                            found[path] = _facts(entry.stat(follow_symlinks=False))
                    elif entry.name not in SKIPPED and path != put.OWN:
                        todo.append(path)
        except (FileRefused, UnknownFile, OSError):
            continue  # the folder is gone, closed, or too deep
    return found, False


def facts(inside: Inside, path: str) -> Facts | None:
    """Return a file by its numbers, None where there is none."""
    folder, _, name = path.rpartition("/")
    try:
        with inside.opened(folder) as found:
            told = os.stat(name, dir_fd=found.descriptor, follow_symlinks=False)
    except (FileRefused, UnknownFile, OSError, ValueError):
        return None
    return (
        None if stat.S_ISDIR(told.st_mode) else Facts(told.st_size, told.st_ctime_ns, told.st_mode)
    )


def _facts(told: os.stat_result) -> Facts:
    return Facts(told.st_size, told.st_ctime_ns, told.st_mode)


def content(inside: Inside, path: str) -> bytes | None:
    """Return a file, None where it is too large, gone or closed."""
    try:
        return files.read_entry(inside, path, chat.FILE_BYTES)
    except (FileRefused, UnknownFile, OSError):
        return None


def digest(data: bytes | None) -> str:
    """Return the SHA-256 of a content, "" without one."""
    return "" if data is None else hashlib.sha256(data).hexdigest()


class Reader:
    """Digests of files, for so many bytes together."""

    def __init__(self, inside: Inside) -> None:
        self._inside = inside
        self._left = MAX_READ

    @property
    def is_spent(self) -> bool:
        """Whether nothing more is read: a file of the size of before counts as the same."""
        return self._left <= 0

    def digest(self, path: str) -> str:
        """Return the digest of a file, "" where it cannot be read."""
        data = content(self._inside, path)
        self._left -= len(data or b"") + _EACH
        return digest(data)
