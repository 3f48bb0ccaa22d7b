"""Git facts of a folder, read from its files: no process is started, no hook can run."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Final

from sessions.core.clean import clean_text

# HEAD and the .git file of a worktree hold one short line.
MAX_LINE_BYTES: Final = 4096
_REF: Final = re.compile(r"ref: refs/heads/(.+)")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
SHORT_COMMIT: Final = 12


def is_repository(folder: Path) -> bool:
    """Return whether folder is the top of a git working tree."""
    try:
        mode = os.lstat(folder / ".git").st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISDIR(mode) or stat.S_ISREG(mode)


def branch(folder: Path) -> str | None:
    """Return the branch checked out in folder, a short commit where none is, None without git."""
    if not is_repository(folder):
        return None
    try:
        head = _line(_git_dir(folder) / "HEAD")
    except (OSError, ValueError):
        return ""
    if found := _REF.fullmatch(head):
        return clean_text(found[1])
    return head[:SHORT_COMMIT] if _COMMIT.fullmatch(head) else ""


def _git_dir(folder: Path) -> Path:
    place = folder / ".git"
    if place.is_dir():
        return place
    # A worktree and a submodule keep their state elsewhere.
    return folder / _line(place).removeprefix("gitdir: ")


def _line(path: Path) -> str:
    """Return the first line of a regular file. Raises OSError, ValueError for anything else."""
    # O_NONBLOCK: a pipe under this name must not hold the request.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("not a regular file")
        return file.read(MAX_LINE_BYTES).decode().partition("\n")[0].strip()
