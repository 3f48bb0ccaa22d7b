"""Files of a git directory replaced as git does it: under a lock file, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from sessions.core.errors import FileRefused, UnknownFile
from sessions.workspace import writing
from sessions.workspace.changes.refusals import RepositoryBusy
from sessions.workspace.inside import Inside

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LOG: Final = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
MODE: Final = 0o644

Replace = Callable[[bytes], None]


@contextmanager
def locked(place: Inside, path: str) -> Iterator[Replace]:
    """Hold git's lock of a file; yield the call that replaces it.

    Raises RepositoryBusy where a git holds the lock, FileRefused where the server may not write.
    """
    folder, _, name = path.rpartition("/")
    writing.make_folders(place, folder)
    with place.opened(folder) as found:
        at = found.descriptor
        lock = f"{name}.lock"
        try:
            descriptor = os.open(lock, _NEW, MODE, dir_fd=at)
        except FileExistsError as exc:
            raise RepositoryBusy from exc
        except OSError as exc:
            raise FileRefused("The server may not change this repository.", path=path) from exc
        with os.fdopen(descriptor, "wb") as file:

            def replace(data: bytes) -> None:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                os.replace(lock, name, src_dir_fd=at, dst_dir_fd=at)

            try:
                yield replace
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(lock, dir_fd=at)


def add_line(place: Inside, path: str, line: bytes) -> None:
    """Add a line to a log of git; one that is not there, or not a file, is left alone."""
    folder, _, name = path.rpartition("/")
    with suppress(FileRefused, UnknownFile, OSError), place.opened(folder) as found:
        descriptor = os.open(name, _LOG, dir_fd=found.descriptor)
        with os.fdopen(descriptor, "ab") as file:
            file.write(line)
