"""Uploads that arrive in pieces: one file for each user and name, until the last piece is here."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from sessions.core import storage
from sessions.core.conf import data_dir

# A person's uploads that are under way at once; the oldest of more is dropped.
MAX_PARTS: Final = 20
LEFT_OVER_S: Final = 86_400


def received(user_id: int, sha256: str) -> int:
    """Return how many bytes of an upload are here."""
    try:
        return _path(user_id, sha256).stat().st_size
    except FileNotFoundError:
        return 0


class Part:
    """The bytes of an upload that are here, for one request at a time."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path, self._descriptor = path, descriptor
        self._is_over = False

    @property
    def size(self) -> int:
        """The number of bytes that are here."""
        return os.fstat(self._descriptor).st_size

    def add(self, data: bytes, *, first: int) -> None:
        """Write a piece at its place. Raises OSError.

        The caller has checked that no hole comes before the piece. A piece that comes twice is the
        same bytes at the same place; the digest of the whole tells other ones.
        """
        if not self.size:
            _make_room(self._path)
        with open(self._descriptor, "wb", closefd=False) as file:
            file.seek(first)
            file.write(data)

    def read(self) -> bytes:
        """Return the bytes that are here."""
        with open(self._descriptor, "rb", closefd=False) as file:
            file.seek(0)
            return file.read()

    def drop(self) -> None:
        """Forget the upload once it is held no more: it is whole, or wrong."""
        self._is_over = True

    def leave(self) -> None:
        """End the hold."""
        try:
            if self._is_over or not self.size:
                self._path.unlink(missing_ok=True)
        finally:
            os.close(self._descriptor)


@contextmanager
def held(user_id: int, sha256: str) -> Iterator[Part]:
    """Hold an upload of a user: other requests for the same bytes wait. Raises OSError."""
    path = _path(user_id, sha256)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = Part(path, _locked(path))
    try:
        yield part
    finally:
        part.leave()


def _locked(path: Path) -> int:
    """Return a descriptor of the file at a path, locked for one holder."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        is_there = False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # The holder before may have removed it meanwhile.
            with suppress(FileNotFoundError):
                is_there = os.path.samestat(os.fstat(descriptor), path.lstat())
        finally:
            if not is_there:
                os.close(descriptor)
        if is_there:
            return descriptor


def collect() -> None:
    """Remove uploads that no piece has come for in a day."""
    now = time.time()
    for folder in _folders():
        for path, facts in storage.by_age(folder.glob("*.part")):
            if now - facts.st_mtime > LEFT_OVER_S:
                path.unlink(missing_ok=True)


def _make_room(new: Path) -> None:
    others = (path for path in new.parent.glob("*.part") if path != new)
    parts = storage.by_age(others)
    for path, _ in parts[: max(0, len(parts) - MAX_PARTS + 1)]:
        path.unlink(missing_ok=True)


def _folders() -> Iterator[Path]:
    root = data_dir() / "uploads"
    if root.is_dir():
        yield from (path for path in root.iterdir() if path.is_dir())


def _path(user_id: int, sha256: str) -> Path:
    return data_dir() / "uploads" / str(user_id) / f"{sha256}.part"
