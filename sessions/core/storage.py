"""Room on the disk: whether the database can grow, and errors that say that it cannot.

A full disk is the one failure in which stopping an agent matters most, and cannot be recorded.
"""

from __future__ import annotations

import shutil
import sqlite3
from typing import Final

from sessions.core.conf import chat, data_dir
from sessions.core.errors import StorageFull

MEGABYTE: Final = 1_000_000
# SQLSTATE disk_full and insufficient_resources of PostgreSQL.
_POSTGRESQL: Final = frozenset({"53100", "53000"})
# A limit on the size of files is an I/O error of the write for SQLite.
_SQLITE: Final = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_TRUNCATE}
)
RETRY_AFTER_S: Final = 30

# Whether this process found no room, and has appended nothing since.
_is_full = False


def _is_full_error(exc: BaseException | None) -> bool:
    """Return whether an error, or its cause, says that the database found no room."""
    while exc is not None:
        code = getattr(exc, "sqlite_errorcode", None)
        if code in _SQLITE or getattr(exc, "sqlstate", None) in _POSTGRESQL:
            return True
        exc = exc.__cause__
    return False


def is_full(exc: BaseException) -> bool:
    """Return whether an error says that there is no room, and remember that."""
    global _is_full
    found = _is_full_error(exc)
    _is_full = _is_full or found
    return found


def found_room() -> None:
    """Remember that something could be stored."""
    global _is_full
    _is_full = False


def problem() -> str | None:
    """Return a sentence when there is too little room for new prompts, else None."""
    if _is_full:
        return "The disk of the server is full: nothing can be stored."
    free = shutil.disk_usage(data_dir()).free
    if free < chat.MIN_FREE_MB * MEGABYTE:
        return f"The disk of the server is nearly full: {free // MEGABYTE} MB are free."
    return None


def require_room() -> None:
    """Raise StorageFull when there is too little room for a new prompt."""
    found = problem()
    if found is not None:
        raise StorageFull(found, retryAfter=RETRY_AFTER_S)
