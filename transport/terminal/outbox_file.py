"""The file that keeps the prompts of a terminal until the server has them.

Each terminal that runs holds one file. The next one takes over a file that was left behind, and
sends the prompts in it.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

logger = logging.getLogger(__name__)

# Terminals of one person at once.
MAX_TERMINALS: Final = 100


@contextmanager
def held(folder: Path, *who: str) -> Iterator[Path | None]:
    """Hold the first free file of a person at a server; None where none can be kept."""
    name = hashlib.sha256("\n".join(who).encode()).hexdigest()[:32]
    try:
        lock, place = _first_free(folder / name)
    except OSError:
        logger.warning("the outbox of a terminal cannot be kept", exc_info=True)
        lock, place = None, None
    try:
        yield place
    finally:
        if lock is not None:
            os.close(lock)


def _first_free(folder: Path) -> tuple[int | None, Path | None]:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number in range(MAX_TERMINALS):
        flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
        lock = os.open(folder / f"{number}.lock", flags, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
        else:
            return lock, folder / f"{number}.json"
    return None, None
