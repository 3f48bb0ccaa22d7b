"""Folders to choose from: one level at a time, inside the allowed roots."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sessions.core.clean import clean_text
from sessions.core.errors import FolderExists, FolderRefused
from sessions.workspace import git
from sessions.workspace.folders import MAX_PATH_CHARS
from sessions.workspace.opening import opened, told
from sessions.workspace.roots import NO_ROOTS, is_open, roots

PAGE: Final = 500
# Entries that one request looks at; a folder with more shows its first ones.
MAX_ENTRIES: Final = 20_000
MAX_NAME_BYTES: Final = 255


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder in a listing. branch: of its git repository, None where it is none."""

    name: str
    path: str
    branch: str | None


@dataclass(frozen=True, slots=True)
class Listing:
    """One level. path: "" for the list of several roots. parent: None at a root."""

    path: str
    parent: str | None
    folders: list[Folder]
    has_more: bool


def list_folders(path: str, *, offset: int = 0) -> Listing:
    """Return PAGE folders below path, repositories first, then by name.

    path "": the root, or the list of the roots where there are several. Hidden folders, names
    that are not UTF-8 and links out of the roots are left out. Raises FolderRefused.
    """
    allowed = roots()
    if not allowed:
        raise FolderRefused(NO_ROOTS, path=path)
    if not path and len(allowed) > 1:
        return Listing("", None, [_folder(root, str(root)) for root in allowed], has_more=False)
    with opened(path or str(allowed[0]), allowed) as (descriptor, place):
        names, is_cut = _names(descriptor, place, allowed)
    page = names[offset : offset + PAGE]
    return Listing(
        str(place),
        _parent(place, allowed),
        [_folder(place / name, name) for name in page],
        has_more=is_cut or len(names) > offset + PAGE,
    )


def make_folder(path: str) -> Folder:
    """Make one new folder in an allowed one. Raises FolderRefused, FolderExists."""
    allowed = roots()
    if not allowed:
        raise FolderRefused(NO_ROOTS, path=path)
    parent, _, name = path.rstrip("/").rpartition("/")
    check_name(name, path)
    if len(path) > MAX_PATH_CHARS:
        raise FolderRefused("The path of this folder is too long.", path=path)
    with opened(parent or "/", allowed) as (descriptor, place), told(path):
        try:
            os.mkdir(name, mode=0o755, dir_fd=descriptor)
        except FileExistsError as exc:
            raise FolderExists(path=path) from exc
    return Folder(name, str(place / name), None)


def check_name(name: str, path: str) -> None:
    """Refuse what is no name for a new folder. Raises FolderRefused."""
    if name in {"", ".", ".."} or clean_text(name) != name or not name.isprintable():
        raise FolderRefused("This is not a name for a folder.", path=clean_text(path))
    if len(name.encode(errors="replace")) > MAX_NAME_BYTES:
        raise FolderRefused("The name of this folder is too long.", path=path)


def _names(descriptor: int, place: Path, allowed: list[Path]) -> tuple[list[str], bool]:
    """Return the names to show, sorted, and whether the folder has more than were looked at."""
    found: list[tuple[bool, str, str]] = []
    with told(str(place)), os.scandir(descriptor) as entries:
        for count, entry in enumerate(entries):
            if count == MAX_ENTRIES:
                return _sorted(found), True
            if _is_shown(entry, place, allowed):
                is_plain = not git.is_repository(place / entry.name)
                found.append((is_plain, entry.name.casefold(), entry.name))
    return _sorted(found), False


def _sorted(found: list[tuple[bool, str, str]]) -> list[str]:
    return [name for *_, name in sorted(found)]


def _is_shown(entry: os.DirEntry[str], place: Path, allowed: list[Path]) -> bool:
    if entry.name.startswith(".") or clean_text(entry.name) != entry.name:
        return False
    try:
        if not entry.is_dir():
            return False
        path = place / entry.name
        return is_open(path.resolve() if entry.is_symlink() else path, allowed)
    except (OSError, RuntimeError):
        return False  # a loop of links, or gone


def _folder(path: Path, name: str) -> Folder:
    return Folder(name, str(path), git.branch(path))


def _parent(place: Path, allowed: list[Path]) -> str | None:
    if place.parent != place and is_open(place.parent, allowed):
        return str(place.parent)
    return "" if len(allowed) > 1 else None
