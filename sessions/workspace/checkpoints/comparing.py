"""The changes of a folder since a kept state, as a list of changed files has them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from uuid import UUID

from sessions.core.conf import chat
from sessions.workspace.changes.listing import Listing
from sessions.workspace.changes.model import MAX_ROWS, Change, NotKept, Status, nothing
from sessions.workspace.checkpoints import keeping, model, restoring
from sessions.workspace.checkpoints.model import Tree
from sessions.workspace.checkpoints.shadow import Shadow


@contextmanager
def listed(session_id: UUID, cwd: str, allowed: list[Path], name: str) -> Iterator[Listing]:
    """Yield the changes since a checkpoint; earlier contents can be read until the block ends.

    Raises sessions.workspace.checkpoints.model.NotKept, FolderRefused, OSError.
    """
    with keeping.room(session_id, cwd, allowed) as room:
        if room is None:
            yield Listing("checkpoint", "chat")
            return
        before, now = room.shadow.tree(name), room.shadow.tree(room.keep().name)
        paths = restoring.differing(before, now)
        rows = [_change(room.shadow, before, now, path) for path in paths[:MAX_ROWS]]
        yield Listing("checkpoint", "chat", None, False, rows, len(paths) > MAX_ROWS)  # noqa: FBT003


def _change(shadow: Shadow, before: Tree, now: Tree, path: str) -> Change:
    kept = before.get(path)
    if kept is None:
        return Change(path, "new", nothing)
    status: Status = "modified" if path in now else "deleted"
    return Change(path, status, partial(_content, shadow, kept.oid), mode=kept.mode)


def _content(shadow: Shadow, oid: str) -> bytes | None:
    try:
        [(_, data)] = shadow.contents([oid])
    except model.NotKept as exc:
        raise NotKept from exc
    return data if len(data) <= chat.FILE_BYTES else None
