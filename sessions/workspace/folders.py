"""The folder that a session's agent works in: inside the allowed roots, symlinks resolved."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from sessions.core.clean import clean_text
from sessions.core.conf import data_dir
from sessions.core.errors import FolderRefused
from sessions.workspace.roots import check_open

# The length of the column in the session's row.
MAX_PATH_CHARS = 1024


def own_folder(session_id: UUID) -> Path:
    """Return the folder that a session has when none was asked for."""
    return (data_dir() / "workspaces" / str(session_id)).resolve()


def is_own(folder: Path) -> bool:
    """Return whether a session's folder was made by the server: for it, or for its origin."""
    return folder.parent == (data_dir() / "workspaces").resolve()


def of_session(session_id: UUID, cwd: str) -> Path:
    """Return the folder of a session, unchecked: its own where none was asked for."""
    return Path(cwd) if cwd else own_folder(session_id)


def check(requested: str) -> Path:
    """Return a requested folder, resolved.

    Raises FolderRefused outside the allowed roots and for unreadable folders.
    """
    try:
        return _checked(requested)
    except (OSError, RuntimeError, ValueError) as exc:
        # An unknown user's home, a name too long, a loop of links, a folder that is closed to us.
        raise FolderRefused("This folder cannot be used.", cwd=clean_text(requested)) from exc


def _checked(requested: str) -> Path:
    named = Path(requested).expanduser()
    if "\x00" in requested or not named.is_absolute():
        raise FolderRefused("The folder must be an absolute path.", cwd=requested)
    path = named.resolve()
    check_open(path, requested)
    if not path.is_dir():
        raise FolderRefused("There is no such folder.", cwd=requested)
    if len(str(path)) > MAX_PATH_CHARS:
        raise FolderRefused("The path of this folder is too long.", cwd=requested)
    return path


def prepare(session_id: UUID, cwd: str) -> Path:
    """Return the folder for an agent about to start, made or checked once more.

    The check runs again because a symlink may have changed since the session was created.
    Raises FolderRefused.
    """
    own = of_session(session_id, cwd)
    if not is_own(own):
        return check(cwd)
    try:
        own.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as exc:
        why = exc.strerror or type(exc).__name__
        raise FolderRefused(f"The agent's folder cannot be made: {why}.") from exc
    return own
