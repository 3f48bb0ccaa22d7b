"""Changes by git: of the files it follows since a commit, and the files it does not follow."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Final

from sessions.core.conf import chat
from sessions.workspace.changes.model import MAX_ROWS, Change, Status, nothing, unknown
from sessions.workspace.changes.program import GitFailed
from sessions.workspace.changes.repository import Repository

_WORDS: Final = (
    *("diff", "--raw", "--numstat", "-z", "--no-abbrev", "--relative", "-M", "-l200"),
    *("--ignore-submodules=all", "--no-ext-diff", "--no-textconv", "--no-color"),
)
_STATUSES: Final[dict[str, Status]] = {"A": "new", "D": "deleted", "R": "renamed", "C": "new"}
_NO_FILE: Final = "000000"


def changes_since(commit: str, repository: Repository) -> tuple[list[Change], bool]:
    """Return the changes since a commit by path, and whether there are more. Raises GitFailed."""
    listed = _fields(repository.git("ls-files", "--others", "--exclude-standard", "-z"))
    # A folder is a repository of its own.
    folders = [path for path in listed if path.endswith("/")]
    others = [path for path in listed if not path.endswith("/")]
    closed = [path for path in others if _is_closed(repository, path)]
    _follow([path for path in others if path not in set(closed)][:MAX_ROWS], repository)
    rows = {change.path: change for change in _compared(commit, repository)}
    rows |= {path: Change(path, "new", nothing) for path in [*folders, *closed]}
    found = [rows[path] for path in sorted(rows)]
    return found[:MAX_ROWS], len(found) > MAX_ROWS or len(others) > MAX_ROWS


def _compared(commit: str, repository: Repository) -> list[Change]:
    """Return git's rows. A file that the server may not read is a row of ours."""
    try:
        return [*_followed(_fields(repository.git(*_WORDS, commit, "--")), repository)]
    except GitFailed:
        dirty = _fields(repository.git("diff-files", "--name-only", "--relative", "-z"))
        closed = [path for path in dirty if _is_closed(repository, path)]
        if not closed:
            raise
    given = b"".join(os.fsencode(path) + b"\0" for path in closed)
    repository.git("update-index", "--assume-unchanged", "-z", "--stdin", given=given)
    rows = _followed(_fields(repository.git(*_WORDS, commit, "--")), repository)
    return [*rows, *(Change(path, "modified", unknown) for path in closed)]


def _is_closed(repository: Repository, path: str) -> bool:
    """Return whether a file is there that the server may not read."""
    place = repository.folder / path
    try:
        return stat.S_ISREG(os.lstat(place).st_mode) and not os.access(place, os.R_OK)
    except (OSError, ValueError):
        return False


def _follow(paths: list[str], repository: Repository) -> None:
    """Enter new files in our index by name alone, so that git compares them with the others."""
    if paths:
        words = ("add", "--intent-to-add", "--pathspec-from-file=-", "--pathspec-file-nul")
        given = b"".join(os.fsencode(path) + b"\0" for path in paths)
        repository.git(*words, given=given)


def _fields(output: bytes) -> list[str]:
    # The last field is empty, or the beginning of one that was cut.
    return [os.fsdecode(field) for field in output.split(b"\0")[:-1]]


def _followed(fields: list[str], repository: Repository) -> Iterator[Change]:
    """Yield changes from git's raw rows, which come first, and its counts by path."""
    at = 0
    rows: list[Change] = []
    while at < len(fields) and fields[at].startswith(":"):
        old_mode, _, old_id, _, letter = fields[at].split(" ")
        is_pair = letter[0] in "RC"
        if at + 1 + is_pair >= len(fields):
            break
        path = fields[at + 1 + is_pair]
        before = nothing if old_mode == ":" + _NO_FILE else partial(_blob, repository, old_id)
        status = _STATUSES.get(letter[0], "modified")
        old_path = fields[at + 1] if letter[0] == "R" else None
        rows.append(Change(path, status, before, old_path, mode=int(old_mode[1:], 8)))
        at += 2 + is_pair
    numbers = dict(_counts(fields[at:]))
    for row in rows:
        added, removed = numbers.get(row.path, (None, None))
        yield replace(row, added=added, removed=removed)


def _counts(fields: list[str]) -> Iterator[tuple[str, tuple[int | None, int | None]]]:
    at = 0
    while at < len(fields):
        parts = fields[at].split("\t", 2)
        is_pair = len(parts) == 3 and not parts[2]
        if len(parts) < 3 or (is_pair and at + 2 >= len(fields)):
            return
        path = fields[at + 2] if is_pair else parts[2]
        yield path, (_number(parts[0]), _number(parts[1]))
        at += 3 if is_pair else 1


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() else None


def _blob(repository: Repository, name: str) -> bytes | None:
    data = repository.git("cat-file", "blob", name, limit=chat.FILE_BYTES)
    return data if len(data) <= chat.FILE_BYTES else None
