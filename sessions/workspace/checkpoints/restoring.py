"""Restoring a kept state: each file in one step, in an order that can be repeated after a kill.

A file is changed only where it is as the present state has it, or as the wanted one has it: a file
that git ignores, or that was written meanwhile, is left alone and counted.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from sessions.core.errors import FileRefused, UnknownFile
from sessions.workspace.checkpoints import contents
from sessions.workspace.checkpoints.model import Kept, Tree, blob_name
from sessions.workspace.checkpoints.shadow import Shadow
from sessions.workspace.inside import MAX_LEVELS, Inside

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(slots=True)
class Outcome:
    """The files that were changed, and the paths that were left alone."""

    changed: int = 0
    left: list[str] = field(default_factory=list)


def differing(before: Tree, after: Tree) -> list[str]:
    """Return the paths that two states do not share."""
    return sorted(path for path in before.keys() | after.keys() if _differ(before, after, path))


def _differ(before: Tree, after: Tree, path: str) -> bool:
    one, other = before.get(path), after.get(path)
    if one is None or other is None:
        return one is not other
    return (one.oid, one.git_mode) != (other.oid, other.git_mode)


def apply(shadow: Shadow, folder: Inside, before: Tree, wanted: Tree, *, token: str) -> Outcome:
    """Give the files that differ their wanted state. Repeated, it completes itself.

    token: names our unfinished files. Raises NotKept before anything is changed.
    """
    paths = differing(before, wanted)
    targets = [path for path in paths if path in wanted]
    names = list(dict.fromkeys(wanted[path].oid for path in targets))
    places: dict[str, list[str]] = {name: [] for name in names}
    for path in targets:
        places[wanted[path].oid].append(path)
    read = shadow.contents(names) if names else iter(())
    first = next(read, None)  # all of them are known to be there now
    work = _Work(folder, before, wanted, f".backstay-{token}")
    for path in reversed(paths):
        if path not in wanted:
            work.remove(path)
    while first is not None:
        name, data = first
        for path in places[name]:
            work.write(path, data)
        first = next(read, None)
    return work.outcome


class _Work:
    """The changes of one restore."""

    def __init__(self, folder: Inside, before: Tree, wanted: Tree, fresh: str) -> None:
        self._folder = folder
        self._before = before
        self._wanted = wanted
        self._fresh = fresh
        self.outcome = Outcome()

    def remove(self, path: str) -> None:
        """Remove a file that the wanted state does not have, and folders that it leaves empty."""
        with self._told(path):
            now = self._now(path)
            place, _, name = path.rpartition("/")
            if now is not None or self._is_there(path):
                if not _is_same(now, self._before.get(path)):
                    raise FileRefused
                with self._opened(place) as parent:
                    os.unlink(name, dir_fd=parent)
                self.outcome.changed += 1
            self._remove_empty(place)

    def write(self, path: str, data: bytes) -> None:
        """Write a file of the wanted state in one step."""
        wanted = self._wanted[path]
        with self._told(path):
            now = self._now(path)
            place, _, name = path.rpartition("/")
            if now is not None and not _is_same(now, self._before.get(path)):
                if _is_same(now, wanted):
                    self._sweep(place)
                    return
                raise FileRefused
            with self._opened(place, make=True) as parent:
                self._clear(name, parent, now)
                self._replace(name, parent, data, wanted)
            self.outcome.changed += 1

    @contextmanager
    def _told(self, path: str) -> Iterator[None]:
        try:
            yield
        except (FileRefused, UnknownFile, OSError, ValueError):
            self.outcome.left.append(path)

    def _now(self, path: str) -> Kept | None:
        read = contents.read(self._folder, path)
        return None if read is None else Kept(blob_name(read[0]), read[1].mode)

    def _is_there(self, path: str) -> bool:
        """Return whether anything but a folder has this name."""
        place, _, name = path.rpartition("/")
        try:
            with self._opened(place) as parent:
                told = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except (OSError, UnknownFile, FileRefused):
            return False
        return not stat.S_ISDIR(told.st_mode)

    def _clear(self, name: str, parent: int, now: Kept | None) -> None:
        """Make room for a file: an empty folder goes, all else that is no kept file stays."""
        with suppress(FileNotFoundError):
            os.unlink(self._fresh, dir_fd=parent)
        if now is not None:
            return
        try:
            told = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            return
        if not stat.S_ISDIR(told.st_mode):
            raise FileRefused  # closed to us, too large, or no file at all
        os.rmdir(name, dir_fd=parent)

    def _replace(self, name: str, parent: int, data: bytes, wanted: Kept) -> None:
        try:
            if wanted.is_link:
                os.symlink(os.fsdecode(data), self._fresh, dir_fd=parent)
            else:
                self._write(parent, data, wanted.mode)
            os.replace(self._fresh, name, src_dir_fd=parent, dst_dir_fd=parent)
        except OSError:
            with suppress(OSError):
                os.unlink(self._fresh, dir_fd=parent)
            raise

    def _write(self, parent: int, data: bytes, mode: int) -> None:
        descriptor = os.open(self._fresh, _NEW, 0o600, dir_fd=parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(descriptor, stat.S_IMODE(mode) & 0o777)
            _give(descriptor, parent)

    def _sweep(self, place: str) -> None:
        """Remove an unfinished file that a killed server left here."""
        with suppress(OSError, UnknownFile), self._opened(place) as parent:
            os.unlink(self._fresh, dir_fd=parent)

    def _remove_empty(self, place: str) -> None:
        while place:
            above, _, name = place.rpartition("/")
            try:
                with self._opened(above) as parent:
                    os.rmdir(name, dir_fd=parent)
            except FileNotFoundError:
                pass  # a restore that was killed has removed it
            except (OSError, UnknownFile):
                return
            place = above

    @contextmanager
    def _opened(self, place: str, *, make: bool = False) -> Iterator[int]:
        """Open a folder name by name, through no link at all. Raises OSError, FileRefused."""
        names = place.split("/") if place else []
        if len(names) > MAX_LEVELS:
            raise FileRefused
        at = os.dup(self._folder.descriptor)
        try:
            for name in names:
                if make:
                    _make(name, at)
                inner = os.open(name, _FOLDER, dir_fd=at)
                os.close(at)
                at = inner
                self._folder.check(at, place)
            yield at
        finally:
            os.close(at)


def _make(name: str, parent: int) -> None:
    with suppress(FileExistsError):
        os.mkdir(name, 0o755, dir_fd=parent)
        descriptor = os.open(name, _FOLDER, dir_fd=parent)
        try:
            _give(descriptor, parent)
        finally:
            os.close(descriptor)


def _give(descriptor: int, folder: int) -> None:
    """Let the owner of the folder own it: an agent's own user keeps the right to write it."""
    place = os.fstat(folder)
    with suppress(PermissionError):
        os.fchown(descriptor, place.st_uid, place.st_gid)


def _is_same(now: Kept | None, kept: Kept | None) -> bool:
    if now is None or kept is None:
        return now is kept
    return (now.oid, now.git_mode) == (kept.oid, kept.git_mode)
