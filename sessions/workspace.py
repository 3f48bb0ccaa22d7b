"""The folder that a session's agent works in: inside the allowed roots, symlinks resolved."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import UUID

from sessions.conf import chat, data_dir
from sessions.errors import FolderRefused


def roots() -> list[Path]:
    """Return the folders of WORKSPACE_ROOTS, resolved; a colon parts them."""
    named = [Path(part).expanduser() for part in chat.WORKSPACE_ROOTS.split(os.pathsep) if part]
    return [path.resolve() for path in named]


def own_folder(session_id: UUID) -> Path:
    """Return the folder that a session has when none was asked for."""
    return (data_dir() / "workspaces" / str(session_id)).resolve()


def check(requested: str) -> Path:
    """Return a requested folder, resolved. Raises FolderRefused outside the allowed roots."""
    if "\x00" in requested or not Path(requested).expanduser().is_absolute():
        raise FolderRefused("The folder must be an absolute path.", cwd=requested)
    path = Path(requested).expanduser().resolve()
    allowed = roots()
    if not any(path.is_relative_to(root) for root in allowed):
        raise FolderRefused(cwd=requested)
    if not path.is_dir():
        raise FolderRefused("There is no such folder.", cwd=requested)
    return path


def prepare(session_id: UUID, cwd: str) -> Path:
    """Return the folder for an agent about to start, made or checked once more.

    The check runs again because a symlink may have changed since the session was created.
    """
    own = own_folder(session_id)
    if not cwd or Path(cwd) == own:
        own.mkdir(parents=True, exist_ok=True, mode=0o700)
        return own
    return check(cwd)
