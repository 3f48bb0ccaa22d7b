"""Storage: whether the server can store (disk, database, open files, memory), files by their age.

The failures are the ones in which stopping an agent matters most, since the agent may be the
cause, and in which the stop cannot be recorded.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from sessions.core.conf import chat, data_dir
from sessions.core.errors import ChatError, OutOfResources, StorageFull, StorageReadOnly
from sessions.core.reserves.memory import spare_memory

MEGABYTE: Final = 1_000_000
RETRY_AFTER_S: Final = 30

# By SQLite's primary codes, by SQLSTATE and by the errors of the operating system. A limit on the
# size of files is an I/O error of a write for SQLite; a missing descriptor is a file that it cannot
# open.
_SQLITE: Final[dict[int, type[ChatError]]] = {
    sqlite3.SQLITE_FULL: StorageFull,
    sqlite3.SQLITE_READONLY: StorageReadOnly,
    sqlite3.SQLITE_CANTOPEN: OutOfResources,
    sqlite3.SQLITE_NOMEM: OutOfResources,
}
_SQLITE_IO: Final = frozenset({sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_TRUNCATE})
_POSTGRESQL: Final[dict[str, type[ChatError]]] = {
    "53000": StorageFull,
    "53100": StorageFull,
    "25006": StorageReadOnly,
    "53200": OutOfResources,
}
_SYSTEM: Final[dict[int | None, type[ChatError]]] = {
    errno.ENOSPC: StorageFull,
    errno.EDQUOT: StorageFull,
    errno.EROFS: StorageReadOnly,
    errno.EMFILE: OutOfResources,
    errno.ENFILE: OutOfResources,
    errno.ENOMEM: OutOfResources,
}

# A refusal stands for so long; then the next prompt tries whether something can be stored again.
REMEMBERED_S: Final = 5.0

# The last reason for which this process could not store, and the time of it.
_refused_by: type[ChatError] | None = None
_refused_at = 0.0


def refusal(exc: BaseException | None) -> ChatError | None:
    """Return the error that a client sees where the server could not store, else None.

    A disk without room and a database without writes are remembered for a while, or until
    something is stored.
    """
    global _refused_by, _refused_at
    while exc is not None:
        kind = _kind(exc)
        if kind is not None:
            if kind is not OutOfResources:
                _refused_by, _refused_at = kind, time.monotonic()
            return kind(retryAfter=RETRY_AFTER_S)
        exc = exc.__cause__
    return None


def _kind(exc: BaseException) -> type[ChatError] | None:
    if isinstance(exc, MemoryError):
        spare_memory.let_go()
        return OutOfResources
    if isinstance(exc, OSError):
        return _SYSTEM.get(exc.errno)
    code = getattr(exc, "sqlite_errorcode", None)
    if code is None:
        return _POSTGRESQL.get(getattr(exc, "sqlstate", None) or "")
    return StorageFull if code in _SQLITE_IO else _SQLITE.get(code & 0xFF)


def found_room() -> None:
    """Remember that something could be stored."""
    global _refused_by
    _refused_by = None


def problem() -> str | None:
    """Return a sentence when new prompts cannot be stored, else None."""
    refused_by = _remembered()
    if refused_by is not None:
        return refused_by.sentence
    if shutil.disk_usage(data_dir()).free < chat.MIN_FREE_MB * MEGABYTE:
        return "The disk of the server is nearly full."
    return None


def files_problem() -> str | None:
    """Return a sentence when this process can open no more files, else None."""
    try:
        os.close(os.dup(0))
    except OSError as exc:
        if exc.errno in _SYSTEM:
            return "The server can open no more files."
    return None


def memory_problem() -> str | None:
    """Return a sentence when this process has no memory left, else None."""
    return "The server has no memory left." if spare_memory.is_short else None


def require_room() -> None:
    """Raise StorageFull when there is too little room for a new prompt."""
    found = problem()
    if found is not None:
        raise (_remembered() or StorageFull)(found, retryAfter=RETRY_AFTER_S)


def _remembered() -> type[ChatError] | None:
    is_recent = time.monotonic() - _refused_at < REMEMBERED_S
    return _refused_by if is_recent else None


def by_age(paths: Iterable[Path]) -> list[tuple[Path, os.stat_result]]:
    """Return files with their facts, the oldest first.

    A file that is gone by now is left out: another thread or process may have removed or renamed it
    since its folder was listed.
    """
    found = []
    for path in paths:
        with suppress(FileNotFoundError):
            found.append((path, path.lstat()))
    return sorted(found, key=lambda each: each[1].st_mtime_ns)
