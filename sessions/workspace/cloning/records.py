"""The clones of this server as files, which every process reads; a lock tells those that run."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final
from uuid import UUID

from sessions.core.conf import data_dir
from sessions.core.errors import ChatError, UnknownClone
from sessions.workspace.opening import opened
from sessions.workspace.roots import roots

# A record is kept so long after its last change.
KEPT_S: Final = 24 * 3600.0
RUNNING: Final = "running"
CUT_SHORT: Final = "The server was stopped during the clone."


@dataclass(frozen=True, slots=True)
class Record:
    """A clone. state: running, done, failed or cancelled. percent: of the phase."""

    id: str
    owner: int
    url: str
    path: str
    state: str = RUNNING
    phase: str = ""
    percent: int = 0
    error: str = ""

    @property
    def half_made(self) -> str:
        """The name of the folder beside the destination, before it is whole."""
        return f".backstay-clone-{self.id}"

    @property
    def parent(self) -> str:
        """The folder that the clone goes into."""
        return str(Path(self.path).parent)


def _folder() -> Path:
    folder = data_dir() / "clones"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def write(record: Record) -> None:
    """Store a record, whole or not at all."""
    place = _folder() / f"{record.id}.json"
    fresh = place.with_suffix(".new")
    fresh.write_text(json.dumps(asdict(record)))
    fresh.replace(place)


def find(owner: int, clone_id: UUID) -> Record:
    """Return a clone of a user. Raises UnknownClone, for another's too."""
    record = _read(_folder() / f"{clone_id}.json")
    if record is None or record.owner != owner:
        raise UnknownClone
    return record


def running() -> list[Record]:
    """Return the clones that run now, in any process; what a crash has left is removed."""
    found = []
    for place in _folder().glob("*.json"):
        record = _read(place)
        if record is None or record.state != RUNNING:
            _forget_old(place)
        elif not _is_settled(record, place):
            found.append(record)
    return found


def _is_settled(record: Record, place: Path) -> bool:
    """Return whether no process runs a clone; one that a crash has cut short fails."""
    with _lock(record).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        # It may have ended since it was read.
        now = _read(place)
        if now is not None and now.state == RUNNING:
            remove_half(now)
            write(replace(now, state="failed", error=CUT_SHORT))
    return True


@contextmanager
def held(record: Record) -> Iterator[None]:
    """Hold a clone: as long as this process lives, it is the one that runs it."""
    with _lock(record).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def cancel(record: Record) -> None:
    """Ask the process that runs a clone to end it."""
    _mark(record).touch()


def is_cancelled(record: Record) -> bool:
    """Return whether a person has cancelled a clone."""
    return _mark(record).exists()


def remove_half(record: Record) -> None:
    """Remove the folder of a clone that has not come to its end."""
    with suppress(ChatError), opened(record.parent, roots()) as (descriptor, _):
        shutil.rmtree(record.half_made, dir_fd=descriptor, ignore_errors=True)


def _lock(record: Record) -> Path:
    return _folder() / f"{record.id}.lock"


def _mark(record: Record) -> Path:
    return _folder() / f"{record.id}.cancel"


def _read(place: Path) -> Record | None:
    try:
        return Record(**json.loads(place.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _forget_old(place: Path) -> None:
    with suppress(OSError):
        if time.time() - place.stat().st_mtime > KEPT_S:
            for suffix in (".json", ".lock", ".cancel", ".new"):
                with suppress(FileNotFoundError):
                    os.unlink(place.with_suffix(suffix))  # noqa: PTH108 (its error is meant)
