"""Uploads that arrive in pieces: one file for each user and name, until the last piece is here."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
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


def add(user_id: int, sha256: str, data: bytes, *, first: int) -> int:
    """Write a piece at its place; return how many bytes are here then. Raises OSError.

    The caller has checked that no hole comes before the piece. A piece that comes twice is the same
    bytes at the same place; the digest of the whole tells other ones.
    """
    path = _path(user_id, sha256)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not path.exists():
        _make_room(path.parent)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.seek(first)
        file.write(data)
        file.flush()
        return os.fstat(descriptor).st_size


def read(user_id: int, sha256: str) -> bytes:
    """Return the bytes that are here."""
    return _path(user_id, sha256).read_bytes()


def drop(user_id: int, sha256: str) -> None:
    """Forget an upload that is whole, or wrong."""
    _path(user_id, sha256).unlink(missing_ok=True)


def collect() -> None:
    """Remove uploads that no piece has come for in a day."""
    now = time.time()
    for folder in _folders():
        for path, facts in storage.by_age(folder.glob("*.part")):
            if now - facts.st_mtime > LEFT_OVER_S:
                path.unlink(missing_ok=True)


def _make_room(folder: Path) -> None:
    parts = storage.by_age(folder.glob("*.part"))
    for path, _ in parts[: max(0, len(parts) - MAX_PARTS + 1)]:
        path.unlink(missing_ok=True)


def _folders() -> Iterator[Path]:
    root = data_dir() / "uploads"
    if root.is_dir():
        yield from (path for path in root.iterdir() if path.is_dir())


def _path(user_id: int, sha256: str) -> Path:
    return data_dir() / "uploads" / str(user_id) / f"{sha256}.part"
