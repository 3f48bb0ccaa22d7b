"""The newest entry of the audit trail that this machine has seen, kept beside the database.

A database whose newest entry is older comes from a backup: a token that was revoked since, or a
log-in that was ended, is valid in it again.
"""

from __future__ import annotations

import fcntl
import logging
import os
from pathlib import Path
from typing import Final

from sessions.core.conf import data_dir
from sessions.models import AuditEntry

logger = logging.getLogger(__name__)

FILE: Final = "audit_head"
MAX_CHARS: Final = 32


def remember(number: int) -> None:
    """Keep the number of an entry, if it is the newest; a disk without room stops no act."""
    _write(number, only_newer=True)


def is_behind() -> bool:
    """Return whether the database has not the newest entry that this machine has seen."""
    return newest() < _seen()


def reset() -> None:
    """Take the newest entry of the database for the newest of all."""
    _write(newest(), only_newer=False)


def newest() -> int:
    """Return the number of the database's newest entry, 0 without any."""
    return AuditEntry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def _seen() -> int:
    path = _path()
    return _number(path.read_text(encoding="ascii")) if path.exists() else 0


def _write(number: int, *, only_newer: bool) -> None:
    try:
        descriptor = os.open(_path(), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "r+", encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if only_newer and _number(file.read(MAX_CHARS)) >= number:
                return
            file.seek(0)
            file.truncate()
            file.write(str(number))
    except OSError as exc:
        logger.warning("the head of the audit trail was not kept", extra={"why": exc.strerror})


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _path() -> Path:
    return data_dir() / FILE
