"""Files of a chat's folder written by the server: whole or not at all, and through no link."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from sessions.core.clean import clean_text
from sessions.core.errors import FileRefused, UnknownFile
from sessions.workspace.inside import Inside

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_USUAL: Final = 0o644


def put(inside: Inside, path: str, data: bytes, mode: int) -> None:
    """Give a path this content; mode: of a file or a link, as the kernel tells it.

    Raises FileRefused, UnknownFile.
    """
    folder, _, name = path.rpartition("/")
    make_folders(inside, folder)
    with inside.opened(folder) as found, _told(path):
        fresh = f".backstay-{secrets.token_hex(8)}"
        try:
            if stat.S_ISLNK(mode):
                os.symlink(os.fsdecode(data), fresh, dir_fd=found.descriptor)
            else:
                _write(found.descriptor, fresh, data, mode)
            os.replace(fresh, name, src_dir_fd=found.descriptor, dst_dir_fd=found.descriptor)
        except OSError:
            with suppress(FileNotFoundError):
                os.unlink(fresh, dir_fd=found.descriptor)
            raise


def remove(inside: Inside, path: str) -> None:
    """Remove a file. Raises FileRefused, UnknownFile."""
    folder, _, name = path.rpartition("/")
    with inside.opened(folder) as found, _told(path):
        os.unlink(name, dir_fd=found.descriptor)


def _write(folder: int, name: str, data: bytes, mode: int) -> None:
    descriptor = os.open(name, _NEW, 0o600, dir_fd=folder)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        os.fchmod(descriptor, stat.S_IMODE(mode) & 0o777 or _USUAL)
        place = os.fstat(folder)
        with suppress(PermissionError):  # the agent's own user keeps the right to write it
            os.fchown(descriptor, place.st_uid, place.st_gid)


def make_folders(inside: Inside, path: str) -> None:
    """Make the folders of a path. Raises FileRefused, UnknownFile."""
    names = path.split("/") if path else []
    for count in range(1, len(names) + 1):
        try:
            with inside.opened("/".join(names[:count])):
                continue
        except UnknownFile:
            with inside.opened("/".join(names[: count - 1])) as parent, _told(path):
                os.mkdir(names[count - 1], 0o755, dir_fd=parent.descriptor)


@contextmanager
def _told(path: str) -> Iterator[None]:
    """Turn errors of the file system into errors with a sentence."""
    try:
        yield
    except FileNotFoundError as exc:
        raise UnknownFile(path=clean_text(path)) from exc
    except (OSError, ValueError) as exc:
        raise FileRefused("The server may not change this.", path=clean_text(path)) from exc
