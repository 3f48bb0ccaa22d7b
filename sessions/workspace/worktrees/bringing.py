"""The files of a merge, brought into the folder of a repository: all of them, whatever is killed.

A note in the git directory says what is under way, from before the first file is changed. Git works
with an index of our own, which takes the place of the person's at the end: a git that is killed
leaves no lock that would be in the person's way. A try that finds a note completes that merge.
"""

from __future__ import annotations

import json
import os
import re
import stat
from contextlib import suppress
from typing import Final, NamedTuple

from sessions.core.errors import WorktreeConflict
from sessions.workspace.changes.program import GitFailed
from sessions.workspace.checkpoints import contents
from sessions.workspace.inside import of_folder
from sessions.workspace.worktrees.checkout import Plain, plain
from sessions.workspace.worktrees.main import Main
from sessions.workspace.worktrees.names import is_branch

_NOTE: Final = "backstay-merge"
_INDEX: Final = "index.backstay"
_LOCKED: Final = "Git is at work in the folder of {branch}: index.lock is there."
_IN_THE_WAY: Final = "The folder of {branch} has changes of its own in the files of the merge."


# An object's name, SHA-1 or SHA-256: never an option of git.
_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
MAX_NOTE: Final = 4096


class Way(NamedTuple):
    """A branch with its commit of before and the one that it gets."""

    branch: str
    old: str
    new: str


def bring(git: Plain, way: Way) -> None:
    """Give a branch its commit, and the folder its files. Raises WorktreeConflict, GitFailed."""
    main = git.main
    if main.checked_out == way.branch and way.new != way.old:
        if _has(main, "index.lock"):
            raise WorktreeConflict(_LOCKED.format(branch=way.branch))
        _write(main, _NOTE, json.dumps(way).encode())
        try:
            _files(git, way)
        except GitFailed as exc:
            _forget(main)  # git has looked before it wrote: nothing is changed
            raise WorktreeConflict(_IN_THE_WAY.format(branch=way.branch)) from exc
    main.git("update-ref", f"refs/heads/{way.branch}", way.new, way.old)
    _forget(main)


def settle(main: Main) -> None:
    """Complete a merge that a dead server has left. Raises WorktreeConflict, GitFailed."""
    way = _noted(main)
    if way is None:
        return
    with plain(main) as git:
        if main.branch(way.branch) == way.old and main.checked_out == way.branch:
            changed = _changed(git, way)
            if not _are_brought(git, way, changed):
                _drop_written(git, way, changed)
                try:
                    _files(git, way)
                except GitFailed as exc:
                    _forget(main)
                    raise WorktreeConflict(_IN_THE_WAY.format(branch=way.branch)) from exc
            main.git("update-ref", f"refs/heads/{way.branch}", way.new, way.old)
        _forget(main)


def _files(git: Plain, way: Way) -> None:
    main = git.main
    _remove(main, f"{_INDEX}.lock")
    index = _read(main, "index")
    if index is None:
        _remove(main, _INDEX)
    else:
        _write(main, _INDEX, index)
    git.git("read-tree", "-m", "-u", way.old, way.new, tree=main.top, index=_INDEX)
    place = main.common.descriptor
    os.replace(_INDEX, "index", src_dir_fd=place, dst_dir_fd=place)


def _changed(git: Plain, way: Way) -> set[str]:
    """Return the paths that differ between the two commits."""
    told = git.read("diff-tree", "-r", "-z", "--no-renames", "--name-only", way.old, way.new)
    return {path for path in os.fsdecode(told).split("\0") if path}


def _are_brought(git: Plain, way: Way, changed: set[str]) -> bool:
    """Return whether the index is that of the merge: it comes behind the last file."""
    if not _has(git.main, "index"):
        return False
    words = ("diff-index", "--cached", "-z", "--no-renames", "--name-only", way.new)
    told = git.read(*words, tree=git.main.top, index="index")
    return changed.isdisjoint(os.fsdecode(told).split("\0"))


def _drop_written(git: Plain, way: Way, changed: set[str]) -> None:
    """Remove the files that a killed git has written, whole or in part: they are written again."""
    with of_folder(str(git.main.top), [git.main.top]) as folder:
        for path in sorted(changed):
            found = contents.read(folder, path)
            if found is not None and _is_begin(git, found[0], f"{way.new}:{path}"):
                place, _, name = path.rpartition("/")
                with folder.opened(place) as parent:
                    os.unlink(name, dir_fd=parent.descriptor)


def _is_begin(git: Plain, data: bytes, wanted: str) -> bool:
    """Return whether a file is the begin of the wanted one, or all of it."""
    try:
        whole = git.read("cat-file", "blob", wanted)
    except GitFailed:
        return False  # the wanted state has no such file
    return whole.startswith(data)


def _noted(main: Main) -> Way | None:
    data = _read(main, _NOTE)
    if data is None:
        return None
    try:
        branch, old, new = json.loads(data[:MAX_NOTE])
        if is_branch(branch) and _COMMIT.fullmatch(old) and _COMMIT.fullmatch(new):
            return Way(branch, old, new)
    except (ValueError, TypeError):
        pass  # cut short before the first file was changed
    _forget(main)
    return None


def _forget(main: Main) -> None:
    for name in (f"{_INDEX}.lock", _INDEX, _NOTE):
        _remove(main, name)


def _has(main: Main, name: str) -> bool:
    with suppress(FileNotFoundError):
        os.stat(name, dir_fd=main.common.descriptor, follow_symlinks=False)
        return True
    return False


def _read(main: Main, name: str) -> bytes | None:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(name, flags, dir_fd=main.common.descriptor)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read() if stat.S_ISREG(os.fstat(descriptor).st_mode) else None


def _write(main: Main, name: str, data: bytes) -> None:
    _remove(main, name)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(name, flags, 0o600, dir_fd=main.common.descriptor)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def _remove(main: Main, name: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=main.common.descriptor)
