"""Roots: the folders below which sessions may work, and the folders that stay closed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from django.conf import settings
from django.contrib.auth import get_user_model

from sessions.core.conf import data_dir, workspace_roots
from sessions.core.errors import FolderRefused

# Interfaces of the kernel: nothing in there is anyone's project.
KERNEL: Final = (Path("/proc"), Path("/sys"), Path("/dev"))
NO_ROOTS: Final = (
    "This server allows no folders of your own yet. An administrator sets CHAT_WORKSPACE_ROOTS."
)


def roots() -> list[Path]:
    """Return the allowed roots, resolved: one query where the setting is empty.

    CHAT_WORKSPACE_ROOTS names them, with os.pathsep between. Without it the home folder is the
    root as long as the server has a single account: its owner can reach that folder anyway.
    """
    named = workspace_roots()
    if not named and has_single_account():
        return [Path.home().resolve()]
    return named


def has_single_account() -> bool:
    """Return whether one active account alone uses the server."""
    return get_user_model().objects.filter(is_active=True)[:2].count() == 1


def is_open(path: Path, allowed: list[Path]) -> bool:
    """Return whether a resolved path lies in an allowed root and in no closed folder."""
    closed = (*KERNEL, data_dir().resolve(), *program())
    return any(path.is_relative_to(root) for root in allowed) and not any(
        path.is_relative_to(folder) for folder in closed
    )


def check_open(path: Path, requested: str) -> None:
    """Refuse a resolved path outside the roots. Raises FolderRefused with the reason."""
    allowed = roots()
    if not allowed:
        raise FolderRefused(NO_ROOTS, cwd=requested)
    if not is_open(path, allowed):
        raise FolderRefused(cwd=requested)
    check_around(path, cwd=requested)


def check_around(path: Path, **facts: str) -> None:
    """Refuse a resolved path around the server's own folders: an agent there could change them.

    Raises FolderRefused with the reason and facts.
    """
    if data_dir().resolve().is_relative_to(path):
        raise FolderRefused("This folder holds the data of this server.", **facts)
    if any(folder.is_relative_to(path) for folder in program()):
        raise FolderRefused("This folder holds the program of this server.", **facts)


def program() -> list[Path]:
    """Return the folders of this program and of the packages that it runs with."""
    own = [Path(settings.BASE_DIR)]
    if sys.prefix != sys.base_prefix:
        own.append(Path(sys.prefix))
    return [folder.resolve() for folder in own]
