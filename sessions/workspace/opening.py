"""Folders opened by descriptor: the open folder is checked, not its name, which may change."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sessions.core.clean import clean_text
from sessions.core.errors import FolderRefused
from sessions.workspace.roots import is_open


@contextmanager
def told(path: str) -> Iterator[None]:
    """Turn errors of the file system into FolderRefused with a sentence."""
    try:
        yield
    except PermissionError as exc:
        raise FolderRefused("The server may not use this folder.", path=clean_text(path)) from exc
    except FileNotFoundError as exc:
        raise FolderRefused("There is no such folder.", path=clean_text(path)) from exc
    except (OSError, RuntimeError, ValueError) as exc:
        raise FolderRefused("This folder cannot be used.", path=clean_text(path)) from exc


@contextmanager
def opened(path: str, allowed: list[Path]) -> Iterator[tuple[int, Path]]:
    """Open an allowed folder and yield its descriptor and resolved path.

    A link that changes meanwhile leads nowhere. Raises FolderRefused.
    """
    with told(path):
        named = Path(path).expanduser()
        if not named.is_absolute():
            raise FolderRefused("The folder must be an absolute path.", path=clean_text(path))
        descriptor = os.open(named, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with told(path):
            place = _place(descriptor, named)
        if not is_open(place, allowed):
            raise FolderRefused(path=clean_text(path))
        yield descriptor, place
    finally:
        os.close(descriptor)


def _place(descriptor: int, named: Path) -> Path:
    """Return where an open folder is; its name may lead elsewhere by now."""
    link = Path(f"/proc/self/fd/{descriptor}")
    if link.exists():
        return link.readlink()
    place = named.resolve(strict=True)
    if not os.path.samestat(os.fstat(descriptor), place.stat()):
        raise ValueError("the folder was replaced")
    return place
