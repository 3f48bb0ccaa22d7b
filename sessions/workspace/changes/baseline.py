"""The state of a chat's folder before its agent's first turn, kept in DATA_DIR/baselines.

With git: the commit, and the files that differed from it. Without: every file by name, size and
digest. The text of small files is kept too, so that their changes can be shown.
"""

from __future__ import annotations

import gzip
import json
import logging
import os
import tempfile
import time
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from sessions.core import storage
from sessions.core.conf import data_dir
from sessions.core.errors import ChatError
from sessions.workspace import inside
from sessions.workspace.changes import by_git, tree
from sessions.workspace.changes.program import GitFailed
from sessions.workspace.changes.repository import Repository, found

logger = logging.getLogger(__name__)

# Bytes that are read for digests, and those that are kept as text.
MAX_READ: Final = 64 * 1024 * 1024
# The agent's start waits for it: on a slow disk the rest has no digests.
READ_S: Final = 5.0
MAX_KEPT: Final = 8 * 1024 * 1024
MAX_TEXT: Final = 256 * 1024
# Bytes and number of all records together; the oldest go, and their chats are compared with HEAD.
MAX_TOTAL: Final = 1024 * 1024 * 1024
MAX_RECORDS: Final = 20_000
# The stored form, unpacked: a bound for reading it again.
MAX_STORED: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Known:
    """A file at the start. digest "": not read. text None: not kept."""

    size: int
    changed: int
    digest: str
    mode: int
    text: bytes | None = None


@dataclass(slots=True)
class Baseline:
    """The start. commit: None without git. files: None for a file that was deleted already.

    is_cut: the folder had more files than were looked at.
    """

    taken_at: datetime
    commit: str | None
    is_cut: bool
    files: dict[str, Known | None] = field(default_factory=dict)


def keep(session_id: UUID, cwd: str, allowed: list[Path]) -> None:
    """Record the folder of a session once. Never raises: a chat without it works, too."""
    target = _path(session_id)
    if target.exists():
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        storage.require_room()
        with inside.of_session(session_id, cwd, allowed) as folder:
            if folder is not None:
                _write(target, take(folder, allowed))
    except (ChatError, OSError, ValueError):
        facts = {"session": str(session_id)}
        logger.warning("the start of a chat's folder was not recorded", exc_info=True, extra=facts)


def take(folder: inside.Inside, allowed: list[Path]) -> Baseline:
    """Return the folder as it is now."""
    now = datetime.now(UTC)
    with found(folder, allowed) as repository:
        if repository is not None:
            try:
                return _by_git(now, repository, folder)
            except GitFailed:
                logger.info("git did not tell the state of a folder", exc_info=True)
    facts, is_cut = tree.walk(folder)
    return Baseline(now, None, is_cut, {**_known(folder, facts)})


def _by_git(now: datetime, repository: Repository, folder: inside.Inside) -> Baseline:
    changes, is_cut = by_git.changes_since(repository.head, repository)
    paths = {path for change in changes for path in (change.path, change.old_path) if path}
    found_facts = {path: tree.facts(folder, path) for path in paths}
    there = {path: facts for path, facts in found_facts.items() if facts is not None}
    gone: dict[str, Known | None] = dict.fromkeys(paths - set(there))
    return Baseline(now, repository.head, is_cut, {**gone, **_known(folder, there)})


def load(session_id: UUID) -> Baseline | None:
    """Return the recorded start of a session, None without one."""
    try:
        with gzip.open(_path(session_id), "rb") as file:
            stored = json.loads(file.read(MAX_STORED))
    except FileNotFoundError:
        return None
    except (OSError, EOFError, ValueError, zlib.error):
        logger.warning("the start of a chat cannot be read", extra={"session": str(session_id)})
        return None
    files = {_unpacked(path): _known_of(row) for path, row in stored["files"].items()}
    taken_at = datetime.fromisoformat(stored["takenAt"])
    return Baseline(taken_at, stored["commit"], stored["isCut"], files)


def _known(folder: inside.Inside, facts: dict[str, tree.Facts]) -> dict[str, Known]:
    """Return files with digests and texts, as far as the bounds reach; small ones first."""
    known: dict[str, Known] = {}
    read = kept = 0
    last_s = time.monotonic() + READ_S
    for path, told in sorted(facts.items(), key=lambda item: item[1].size):
        may_read = read < MAX_READ and time.monotonic() < last_s
        data = tree.content(folder, path) if may_read else None
        size = len(data or b"")
        read += size
        is_kept = data is not None and size <= MAX_TEXT and kept + size <= MAX_KEPT
        kept += size if is_kept else 0
        text = data if is_kept else None
        known[path] = Known(told.size, told.changed, tree.digest(data), told.mode, text)
    return known


def _path(session_id: UUID) -> Path:
    return data_dir() / "baselines" / f"{session_id}.json.gz"


def _write(target: Path, baseline: Baseline) -> None:
    stored = {
        "takenAt": baseline.taken_at.isoformat(),
        "commit": baseline.commit,
        "isCut": baseline.is_cut,
        "files": {_packed(path): _row(known) for path, known in baseline.files.items()},
    }
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix="new-")
    try:
        with os.fdopen(descriptor, "wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb") as file:
            file.write(json.dumps(stored).encode())
        Path(name).replace(target)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
    _forget_oldest(target.parent)


def _forget_oldest(folder: Path) -> None:
    """Remove the oldest records until the others keep the bounds."""
    told = storage.by_age(folder.iterdir())
    left = sum(facts.st_size for _, facts in told)
    count = len(told)
    for path, facts in told:
        if left <= MAX_TOTAL and count <= MAX_RECORDS:
            return
        path.unlink(missing_ok=True)
        left -= facts.st_size
        count -= 1


def _row(known: Known | None) -> list[Any] | None:
    if known is None:
        return None
    text = None if known.text is None else known.text.decode("latin-1")
    return [known.size, known.changed, known.digest, known.mode, text]


def _known_of(row: list[Any] | None) -> Known | None:
    if row is None:
        return None
    size, changed, digest, mode, text = row
    return Known(size, changed, digest, mode, None if text is None else text.encode("latin-1"))


def _packed(path: str) -> str:
    return os.fsencode(path).decode("latin-1")


def _unpacked(path: str) -> str:
    return os.fsdecode(path.encode("latin-1"))
