"""The newest entry of the audit trail that this machine has seen, kept beside the database.

A database without that very entry comes from a backup: a token that was revoked since, or a log-in
that was ended, is valid in it again. The file knows its own place, so that a copy of it, which has
come back with the whole folder, is recognised too.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple, TextIO

from django.db import DatabaseError

from sessions.core.conf import data_dir
from sessions.models import AuditEntry

logger = logging.getLogger(__name__)

FILE: Final = "audit_head"
MAX_CHARS: Final = 128
# The system sets the time of a file's change a little after the time that is written into it.
COPY_SLACK_S: Final = 5
_BEGIN: Final = datetime(1970, 1, 1, tzinfo=UTC)


class _Head(NamedTuple):
    """One entry, by its number and its moment, and the file that was written for it.

    moment: microseconds. inode, written_s: of the file. 0: not known, of an older version.
    """

    number: int = 0
    moment: int = 0
    inode: int = 0
    written_s: int = 0


def remember(entry: AuditEntry) -> None:
    """Keep an entry that has been committed, if it is the newest; a failure stops no act.

    In a database from a backup the file stays as it is, until `reset`.
    """
    try:
        with _opened() as file:
            seen = _read(file)
            if entry.pk > seen.number and _is_in_database(seen):
                _write(file, entry)
    except (OSError, DatabaseError, MemoryError) as exc:
        logger.warning("the head of the audit trail was not kept", extra={"why": str(exc)})


def is_behind() -> bool:
    """Return whether the database, or the whole folder of the data, comes from a backup."""
    path = _path()
    if not path.exists():
        return False
    with path.open(encoding="ascii", errors="replace") as file:
        seen = _read(file)
        return _is_copy(file, seen) or not _is_in_database(seen)


def reset() -> None:
    """Take the newest entry of the database for the newest of all."""
    newest = AuditEntry.objects.order_by("-pk").first()
    try:
        with _opened() as file:
            _write(file, newest)
    except OSError as exc:
        logger.warning("the head of the audit trail was not kept", extra={"why": str(exc)})


def newest() -> int:
    """Return the number of the database's newest entry, 0 without any."""
    return AuditEntry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def _is_in_database(seen: _Head) -> bool:
    """Return whether the database has an entry that was seen, and no other in its place.

    An entry before all others has been pruned.
    """
    rows = AuditEntry.objects.filter(pk__gte=seen.number).order_by("pk")
    first = rows.values_list("pk", "at").first()
    if first is None:
        return not seen.number
    number, at = first
    if not seen.moment:
        return True
    if number == seen.number:
        return _moment(at) == seen.moment
    return not AuditEntry.objects.filter(pk__lt=seen.number).exists()


def _is_copy(file: TextIO, seen: _Head) -> bool:
    """Return whether the file was made after the one that it tells of.

    A change of its owner or its mode makes no other file, and some file systems number their files
    differently each time that they are mounted: only both together mean a copy.
    """
    own = os.fstat(file.fileno())
    is_elsewhere = bool(seen.inode) and own.st_ino != seen.inode
    return is_elsewhere and own.st_ctime > seen.written_s + COPY_SLACK_S


def _opened() -> TextIO:
    """Return the file, locked until it is closed."""
    descriptor = os.open(_path(), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    file = os.fdopen(descriptor, "r+", encoding="ascii", errors="replace")
    fcntl.flock(file, fcntl.LOCK_EX)
    return file


def _read(file: TextIO) -> _Head:
    numbers = file.read(MAX_CHARS).split()
    known = all(number.isascii() and number.isdecimal() for number in numbers)
    return _Head(*map(int, numbers[:4])) if known else _Head()


def _write(file: TextIO, entry: AuditEntry | None) -> None:
    number, moment = (entry.pk, _moment(entry.at)) if entry else (0, 0)
    head = _Head(number, moment, os.fstat(file.fileno()).st_ino, int(time.time()))
    # One write over the one before, of equal length: a kill leaves one of the two.
    file.seek(0)
    file.write(" ".join(map(str, head)).ljust(MAX_CHARS))


def _moment(at: datetime) -> int:
    return (at - _BEGIN) // timedelta(microseconds=1)


def _path() -> Path:
    return data_dir() / FILE
