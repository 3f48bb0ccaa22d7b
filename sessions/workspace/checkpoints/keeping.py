"""Keeping the state of a folder: only files that have changed since the last time are read."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final
from uuid import UUID

from sessions.core import storage
from sessions.core.errors import ChatError
from sessions.workspace.changes import tree
from sessions.workspace.checkpoints import contents
from sessions.workspace.checkpoints import shadow as shadows
from sessions.workspace.checkpoints.model import EMPTY, Checkpoint, Kept, NotKept, blob_name
from sessions.workspace.inside import Inside, of_session

logger = logging.getLogger(__name__)

# Files that were written so shortly before may be written again without a sign.
_FRESH_NS: Final = 1_000_000_000
# A slow disk holds the prompt up for so long at most.
READ_S: Final = 20.0
_USUAL: Final = frozenset({0o644, 0o755})
MAX_TREES: Final = 200


@dataclass(frozen=True, slots=True)
class Room:
    """The folder of a chat and its shadow, held by this thread alone."""

    session_id: UUID
    folder: Inside
    allowed: list[Path]
    shadow: shadows.Shadow

    def keep(self) -> Checkpoint:
        """Keep the folder as it is now. Raises NotKept."""
        try:
            return _Taking(self).run()
        except NotKept:
            # Objects that the facts name may be gone: once more, with all files read.
            if not self.shadow.known():
                raise
            self.shadow.forget_known()
            return _Taking(self).run()


@contextmanager
def room(session_id: UUID, cwd: str, allowed: list[Path]) -> Iterator[Room | None]:
    """Open the folder of a chat with its shadow; None while there is no folder.

    Raises NotKept, FolderRefused, OSError.
    """
    with of_session(session_id, cwd, allowed) as folder:
        if folder is None:
            yield None
            return
        with shadows.opened(folder.place) as shadow:
            yield Room(session_id, folder, allowed, shadow)


def keep(session_id: UUID, cwd: str, allowed: list[Path]) -> Checkpoint:
    """Keep the state of a chat's folder. Raises NotKept with a sentence, and nothing else."""
    try:
        storage.require_room()
        with room(session_id, cwd, allowed) as found:
            return Checkpoint(EMPTY, 0) if found is None else found.keep()
    except ChatError as exc:
        raise NotKept(str(exc)) from exc
    except (OSError, ValueError) as exc:
        logger.warning("a checkpoint failed", exc_info=True, extra={"session": str(session_id)})
        raise NotKept("The server could not read or store its files.") from exc


class _Taking:
    """One checkpoint in the making."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._began_ns = time.time_ns()
        self._last_s = time.monotonic() + READ_S
        told = room.shadow.known()
        self._before: dict[str, list[Any]] = told.get("files", {})
        self._trees: dict[str, str] = told.get("trees", {})
        self._files: dict[str, list[Any]] = {}
        self._tree: dict[str, Kept] = {}
        self._left_out = 0

    def run(self) -> Checkpoint:
        """Return the checkpoint. Raises NotKept."""
        found = self._bounded(contents.of(self._room.folder, self._room.allowed))
        with tempfile.TemporaryFile(dir=self._room.shadow.home) as source:
            self._write_contents(found, source)
            name = self._commit(source) if self._tree else EMPTY
        self._room.shadow.hold(self._room.session_id, name)
        self._room.shadow.remember({"files": self._files, "trees": self._trees})
        return Checkpoint(name, len(self._tree), self._left_out)

    def _bounded(self, found: dict[str, tree.Facts]) -> dict[str, tree.Facts]:
        fitting = {p: f for p, f in found.items() if f.size <= contents.MAX_FILE_BYTES}
        self._left_out = len(found) - len(fitting)
        if sum(facts.size for facts in fitting.values()) > (room := contents.room()):
            raise NotKept(f"Its files have more than {room // 1_000_000} MB.")
        return fitting

    def _write_contents(self, found: dict[str, tree.Facts], source: IO[bytes]) -> None:
        """Write the blobs of files that have changed, and note all files of the tree."""
        for path, facts in found.items():
            known = self._before.get(packed(path))
            numbers = [facts.size, facts.changed, facts.mode]
            if known is not None and known[:3] == numbers:
                self._note(path, Kept(known[3], facts.mode), facts)
                continue
            if time.monotonic() > self._last_s:
                raise NotKept("Its disk is too slow.")
            read = contents.read(self._room.folder, path)
            if read is None:
                self._left_out += 1
                continue
            data, now = read
            source.write(b"blob\ndata %d\n" % len(data))
            source.write(data)
            source.write(b"\n")
            self._note(path, Kept(blob_name(data), now.mode), now)

    def _note(self, path: str, kept: Kept, facts: tree.Facts) -> None:
        self._tree[path] = kept
        if facts.changed < self._began_ns - _FRESH_NS:
            self._files[packed(path)] = [facts.size, facts.changed, facts.mode, kept.oid]

    def _commit(self, source: IO[bytes]) -> str:
        digest = self._digest()
        known = self._trees.get(digest, "")
        if self._room.shadow.has(known):
            return known
        session_id = self._room.session_id
        message = json.dumps(self._odd_modes()).encode()
        source.write(
            b"commit %b\nmark :1\ncommitter Backstay <> 0 +0000\ndata %d\n%b\n"
            % (shadows.Shadow.ref_of_new(session_id).encode(), len(message), message)
        )
        for path in sorted(self._tree):
            kept = self._tree[path]
            source.write(b"M %o %b %b\n" % (kept.git_mode, kept.oid.encode(), quoted(path)))
        source.write(b"get-mark :1\n")
        source.seek(0)
        name = self._room.shadow.commit(session_id, source)
        newest = [*self._trees.items(), (digest, name)][-MAX_TREES:]
        self._trees = dict(newest)
        return name

    def _digest(self) -> str:
        whole = hashlib.sha256()
        for path in sorted(self._tree):
            kept = self._tree[path]
            whole.update(b"%o %b %b\0" % (kept.mode, kept.oid.encode(), os.fsencode(path)))
        return whole.hexdigest()

    def _odd_modes(self) -> dict[str, int]:
        """Return the permissions that git does not store."""
        return {
            packed(path): kept.mode
            for path, kept in self._tree.items()
            if not kept.is_link and kept.mode & 0o7777 not in _USUAL
        }


def packed(path: str) -> str:
    """Return a path as JSON can hold it, whatever its bytes are."""
    return os.fsencode(path).decode("latin-1")


def quoted(path: str) -> bytes:
    """Return a path as fast-import reads it."""
    raw = os.fsencode(path).replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return b'"' + raw + b'"'
