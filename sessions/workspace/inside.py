"""Paths inside an open folder, walked one name at a time: no link leads out of it, in any race.

Each name is opened by the descriptor of the folder before it, and never through a link. A link is
read and its target walked in the same way.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from sessions.core.clean import clean_text
from sessions.core.conf import data_dir
from sessions.core.errors import FileRefused, UnknownFile
from sessions.workspace import folders, roots
from sessions.workspace.opening import opened, told

MAX_LINKS: Final = 40
# Each level holds a descriptor while a path is walked.
MAX_LEVELS: Final = 100
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: a pipe under this name must not hold the request.
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Found:
    """An open file or folder. path: from the chat's folder, links resolved; "" is that folder."""

    descriptor: int
    path: str
    is_folder: bool


class Inside:
    """An open folder with its resolved place. The opener closes the descriptor."""

    def __init__(self, descriptor: int, place: Path) -> None:
        self.descriptor = descriptor
        self.place = place
        self._closed = _identities()

    @contextmanager
    def opened(self, path: str) -> Iterator[Found]:
        """Open a path, relative or absolute. Raises FileRefused outside, UnknownFile."""
        walk = _Walk(self, path)
        try:
            with _told(path):
                found = walk.to_end(self.relative(path))
            yield found
        finally:
            walk.close()

    def relative(self, path: str) -> str:
        """Return a path from this folder. Raises FileRefused for an absolute one elsewhere."""
        if not path.startswith("/"):
            return path
        top = str(self.place).rstrip("/")
        if path != top and not path.startswith(f"{top}/"):
            raise FileRefused(path=clean_text(path))
        return path[len(top) + 1 :]

    def check(self, descriptor: int, path: str) -> None:
        """Refuse a folder of the server itself or of the kernel. Raises FileRefused."""
        found = os.fstat(descriptor)
        if (found.st_dev, found.st_ino) in self._closed:
            raise FileRefused("This folder is closed to chats.", path=clean_text(path))


class _Walk:
    """One walk: the descriptors from the first folder to the last."""

    def __init__(self, inside: Inside, path: str) -> None:
        self._inside = inside
        self._path = path
        self._names: list[str] = []
        self._held: list[int] = []
        self._links = 0

    def close(self) -> None:
        while self._held:
            os.close(self._held.pop())

    def to_end(self, path: str) -> Found:
        todo = deque(path.split("/"))
        while todo:
            name = todo.popleft()
            if name == "..":
                self._up()
            elif name not in {"", "."}:
                file = self._down(name, todo)
                if file is not None:
                    return file
        return Found(self._last, "/".join(self._names), is_folder=True)

    @property
    def _last(self) -> int:
        return self._held[-1] if self._held else self._inside.descriptor

    def _up(self) -> None:
        if not self._held:
            raise FileRefused(path=clean_text(self._path))
        os.close(self._held.pop())
        self._names.pop()

    def _down(self, name: str, todo: deque[str]) -> Found | None:
        """Go one name further; return the file where that is the end."""
        mode = os.stat(name, dir_fd=self._last, follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode):
            self._follow(os.readlink(name, dir_fd=self._last), todo)
            return None
        if len(self._names) >= MAX_LEVELS:
            raise FileRefused("This path is too deep.", path=clean_text(self._path))
        is_folder = stat.S_ISDIR(mode)
        if not is_folder and (any(todo) or not stat.S_ISREG(mode)):
            raise UnknownFile(path=clean_text(self._path))
        self._held.append(os.open(name, _FOLDER if is_folder else _FILE, dir_fd=self._last))
        self._names.append(name)
        if is_folder:
            self._inside.check(self._last, self._path)
            return None
        if not stat.S_ISREG(os.fstat(self._last).st_mode):
            raise UnknownFile(path=clean_text(self._path))
        return Found(self._last, "/".join(self._names), is_folder=False)

    def _follow(self, target: str, todo: deque[str]) -> None:
        self._links += 1
        if self._links > MAX_LINKS:
            raise UnknownFile("These links lead in a circle.", path=clean_text(self._path))
        if target.startswith("/"):
            target = self._inside.relative(target)
            self.close()
            self._names.clear()
        todo.extendleft(reversed(target.split("/")))


@contextmanager
def of_session(session_id: UUID, cwd: str, allowed: list[Path]) -> Iterator[Inside | None]:
    """Open the folder of a session; None while its own was not made yet.

    Raises FolderRefused where it lies outside the roots by now.
    """
    folder = folders.of_session(session_id, cwd)
    if folders.is_own(folder):
        with _own(folder) as inside:
            yield inside
        return
    with of_folder(str(folder), allowed) as inside:
        yield inside


@contextmanager
def of_folder(path: str, allowed: list[Path]) -> Iterator[Inside]:
    """Open a folder that a person named. Raises FolderRefused outside the roots."""
    with opened(path, allowed) as (descriptor, place):
        roots.check_around(place)
        yield Inside(descriptor, place)


@contextmanager
def _own(own: Path) -> Iterator[Inside | None]:
    if not os.path.lexists(own):
        yield None
        return
    with told(str(own)):
        descriptor = os.open(own, _FOLDER)
    try:
        yield Inside(descriptor, own)
    finally:
        os.close(descriptor)


@contextmanager
def _told(path: str) -> Iterator[None]:
    """Turn errors of the file system into errors with a sentence."""
    try:
        yield
    except PermissionError as exc:
        raise FileRefused("The server may not read this.", path=clean_text(path)) from exc
    except (OSError, ValueError) as exc:
        # Gone, replaced by a link meanwhile, a name too long, a NUL in it.
        raise UnknownFile(path=clean_text(path)) from exc


def _identities() -> frozenset[tuple[int, int]]:
    """Return the closed folders, by the numbers that no name can hide."""
    found = []
    for folder in (*roots.KERNEL, data_dir(), *roots.program()):
        try:
            told_of = folder.stat()
        except OSError:
            continue
        found.append((told_of.st_dev, told_of.st_ino))
    return frozenset(found)
