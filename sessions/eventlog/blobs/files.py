"""The files of blobs: named by their SHA-256, in folders of its first digits."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from sessions.core.conf import data_dir


def path_of(sha256: str) -> Path:
    """Return the place of a blob's file."""
    return data_dir() / "blobs" / sha256[:2] / sha256[2:4] / sha256


def write(sha256: str, data: bytes) -> None:
    """Store bytes under their name; a crash leaves the whole file or none. Raises OSError."""
    path = path_of(sha256)
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix="new-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def read(sha256: str) -> bytes | None:
    """Return the bytes of a blob, None when its file is gone."""
    try:
        return path_of(sha256).read_bytes()
    except FileNotFoundError:
        return None


def remove(sha256: str) -> None:
    """Remove a blob's file."""
    path_of(sha256).unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make the name itself last: a rename is in the folder, which has pages of its own."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
