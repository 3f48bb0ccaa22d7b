"""The shadow repository of a folder, in DATA_DIR/checkpoints: the states that are kept of it.

The git of the person is never touched. The shadow has a configuration of its own, and git reads and
writes in it alone: the contents of files come and go through our own hands. All chats of a folder
share it, each with refs of its own: refs/backstay/<session>/<commit>.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final
from uuid import UUID

from sessions.core import storage
from sessions.core.conf import data_dir
from sessions.workspace.changes import program
from sessions.workspace.changes.program import GitFailed
from sessions.workspace.checkpoints.model import EMPTY, LINK, Busy, Kept, NotKept

# The wait for another request about the same folder.
LOCK_S: Final = 20.0
_LOOK_S: Final = 0.05
# The import of a large folder into the shadow.
IMPORT_S: Final = 60.0
# Kept for each chat; the oldest go.
MAX_KEPT: Final = 100
# The states of a folder in which no prompt has run for so long go.
UNUSED_S: Final = 90 * 86_400.0
# Contents that are read at once for a restore.
_BATCH_BYTES: Final = 32 * 1024 * 1024
_CONFIG: Final = """[core]
\trepositoryformatversion = 0
\tbare = true
\thooksPath = /dev/null
\tprotectNTFS = false
\tprotectHFS = false
\tcompression = 1
\tlogAllRefUpdates = false
[gc]
\tauto = 0
"""


def _homes() -> Path:
    return data_dir() / "checkpoints"


@contextmanager
def opened(place: Path) -> Iterator[Shadow]:
    """Open the shadow of a folder for this thread alone. Raises Busy, OSError."""
    home = _homes() / hashlib.sha256(os.fsencode(place)).hexdigest()[:32]
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (home / "lock").open("w") as lock:
        _lock(lock)
        yield Shadow(home)


def _lock(lock: IO[str]) -> None:
    last_s = time.monotonic() + LOCK_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            if time.monotonic() > last_s:
                raise Busy("Another request works with this folder.") from exc
            time.sleep(_LOOK_S)
        else:
            return


class Shadow:
    """The shadow of one folder, while its lock is held."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._git_dir = home / "git"
        self._known = home / "known.json"
        self._furnish()

    def _furnish(self) -> None:
        for name in ("objects", "refs/heads"):
            (self._git_dir / name).mkdir(parents=True, exist_ok=True)
        for name, text in (("config", _CONFIG), ("HEAD", "ref: refs/heads/none\n")):
            if not (self._git_dir / name).exists():
                (self._git_dir / name).write_text(text)

    # --- Facts beside git -----------------------------------------------------------------------

    def known(self) -> dict[str, Any]:
        """Return the files as they were read last, and the commits of trees; {} without any."""
        try:
            told = json.loads(self._known.read_text())
        except (OSError, ValueError):
            return {}
        return told if isinstance(told, dict) else {}

    def remember(self, known: Mapping[str, Any]) -> None:
        """Keep the facts; without them the next checkpoint reads all files again."""
        fresh = self._known.with_suffix(".new")
        fresh.write_text(json.dumps(known))
        fresh.replace(self._known)

    def forget_known(self) -> None:
        """Forget the facts, which may name objects that are gone."""
        self._known.unlink(missing_ok=True)

    # --- Commits --------------------------------------------------------------------------------

    def commit(self, session_id: UUID, source: IO[bytes]) -> str:
        """Import a commit from a stream of git's fast-import; return its name. Raises NotKept."""
        fresh = self._refs(session_id) / "new"
        fresh.unlink(missing_ok=True)
        fresh.parent.mkdir(parents=True, exist_ok=True)
        try:
            output = self._git("fast-import", "--quiet", source=source, deadline_s=IMPORT_S)
            name = output.decode().strip()
            fresh.rename(fresh.with_name(name))
        except (GitFailed, OSError) as exc:
            raise NotKept("Git could not keep its files.") from exc
        return name

    @staticmethod
    def ref_of_new(session_id: UUID) -> str:
        """Return the ref that an import writes."""
        return f"refs/backstay/{session_id}/new"

    def has(self, name: str) -> bool:
        """Return whether a chat of this folder keeps a commit."""
        refs = self._git_dir / "refs/backstay"
        return bool(name) and any(refs.glob(f"*/{name}"))

    def hold(self, session_id: UUID, name: str) -> None:
        """Keep a commit for a chat, as its newest; the oldest of too many go."""
        if name == EMPTY:
            return
        refs = self._refs(session_id)
        refs.mkdir(parents=True, exist_ok=True)
        (refs / name).write_text(f"{name}\n")
        oldest_first = storage.by_age(refs.iterdir())
        for ref, _ in oldest_first[:-MAX_KEPT]:
            ref.unlink(missing_ok=True)
        if len(oldest_first) > MAX_KEPT:
            self._sweep()

    def release(self, session_id: UUID) -> bool:
        """Let all commits of a chat go; return whether other chats keep some here."""
        shutil.rmtree(self._refs(session_id), ignore_errors=True)
        refs = self._git_dir / "refs/backstay"
        with suppress(OSError):
            if any(any(each.iterdir()) for each in refs.iterdir()):
                self._sweep()
                return True
        return False

    def _refs(self, session_id: UUID) -> Path:
        return self._git_dir / "refs/backstay" / str(session_id)

    def _sweep(self) -> None:
        """Remove contents that no ref keeps, now and then: each sweep looks at all of them."""
        with suppress(GitFailed):
            self._git("repack", "-a", "-d", "-q", deadline_s=IMPORT_S)
            self._git("prune", "--expire=now", deadline_s=IMPORT_S)
            self.forget_known()

    # --- Reading --------------------------------------------------------------------------------

    def tree(self, name: str) -> dict[str, Kept]:
        """Return the files of a commit. Raises NotKept where it is gone."""
        if name == EMPTY:
            return {}
        try:
            listed = self._git("ls-tree", "-r", "-z", name, limit=64 * 1024 * 1024)
            modes = self._modes(name)
        except GitFailed as exc:
            raise NotKept("This state of the folder is not kept any more.") from exc
        found = {}
        for row in listed.split(b"\0")[:-1]:
            facts, _, raw = row.partition(b"\t")
            mode, _, oid = facts.decode().split(" ")
            path = os.fsdecode(raw)
            told = int(mode, 8)
            found[path] = Kept(oid, told if told == LINK else modes.get(path, told))
        return found

    def _modes(self, name: str) -> dict[str, int]:
        message = self._git("cat-file", "commit", name).partition(b"\n\n")[2]
        told = json.loads(message or b"{}")
        return {os.fsdecode(path.encode("latin-1")): mode for path, mode in told.items()}

    def contents(self, names: list[str]) -> Iterator[tuple[str, bytes]]:
        """Yield contents by name, a batch in memory at a time. Raises NotKept."""
        given = "".join(f"{name}\n" for name in names).encode()
        try:
            sizes = self._git("cat-file", "--batch-check=%(objectsize)", given=given).split()
            batch: list[str] = []
            size = 0
            for name, told in zip(names, sizes, strict=True):
                if batch and size + int(told) > _BATCH_BYTES:
                    yield from self._batch(batch, size)
                    batch, size = [], 0
                batch.append(name)
                size += int(told)
            yield from self._batch(batch, size)
        except (GitFailed, ValueError) as exc:
            raise NotKept("This state of the folder is not kept any more.") from exc

    def _batch(self, names: list[str], size: int) -> Iterator[tuple[str, bytes]]:
        given = "".join(f"{name}\n" for name in names).encode()
        limit = size + 128 * len(names)
        output = self._git("cat-file", "--batch", given=given, limit=limit)
        at = 0
        for name in names:
            end = output.index(b"\n", at)
            length = int(output[at:end].rpartition(b" ")[2])
            yield name, output[end + 1 : end + 1 + length]
            at = end + 1 + length + 1

    def _git(
        self,
        *words: str,
        limit: int = program.MAX_BYTES,
        given: bytes = b"",
        source: IO[bytes] | None = None,
        deadline_s: float = program.DEADLINE_S,
    ) -> bytes:
        env = {"GIT_DIR": str(self._git_dir)}
        return program.run(
            *words,
            cwd=self.home,
            env=env,
            limit=limit,
            given=given,
            source=source,
            deadline_s=deadline_s,
        )


def forget_unused() -> None:
    """Remove the shadows of folders in which no prompt has run for UNUSED_S. Raises OSError."""
    homes = _homes()
    for home in homes.iterdir() if homes.is_dir() else ():
        facts = home / "known.json"
        with suppress(FileNotFoundError):  # another process has removed it
            used = (facts if facts.exists() else home).stat().st_mtime
            if time.time() - used > UNUSED_S:
                shutil.rmtree(home, ignore_errors=True)


def forget(place: Path, session_id: UUID) -> None:
    """Let the kept states of a chat go, and the shadow where no other chat has one."""
    with opened(place) as shadow:
        is_used = shadow.release(session_id)
    if not is_used:
        shutil.rmtree(shadow.home, ignore_errors=True)
