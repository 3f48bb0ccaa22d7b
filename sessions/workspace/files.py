"""Files of a chat's folder: one level at a time, and the content of one."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from sessions.core.clean import clean_text
from sessions.core.errors import FileRefused, UnknownFile
from sessions.workspace.inside import Found, Inside

PAGE: Final = 500
# Entries that one request looks at; a folder with more shows its first ones.
MAX_ENTRIES: Final = 20_000
_BLOCK: Final = 65_536

Kind = Literal["file", "folder", "link", "other"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A name of one level. path: None where no request can name it. is_link: it leads elsewhere.

    kind "link": its target lies outside the folder, or nowhere.
    """

    name: str
    path: str | None
    kind: Kind
    is_link: bool
    size: int | None
    modified: datetime | None


@dataclass(frozen=True, slots=True)
class Level:
    """One level, folders first, then by name. path: from the chat's folder, links resolved."""

    path: str
    entries: list[Entry]
    has_more: bool


@dataclass(frozen=True, slots=True)
class Content:
    """A file. data: None where it is larger than was asked for."""

    path: str
    size: int
    modified: datetime | None
    data: bytes | None


def list_level(inside: Inside, path: str, *, offset: int = 0) -> Level:
    """Return PAGE entries of a folder. Raises FileRefused, UnknownFile."""
    with inside.opened(path) as found:
        if not found.is_folder:
            raise UnknownFile("This is a file and no folder.", path=clean_text(path))
        names, is_cut = _names(found.descriptor)
        page = names[offset : offset + PAGE]
        entries = [entry for name in page if (entry := _entry(inside, found, name))]
    return Level(clean_text(found.path), entries, is_cut or len(names) > offset + PAGE)


def read_file(inside: Inside, path: str, *, limit: int) -> Content:
    """Return a file of at most limit bytes. Raises FileRefused, UnknownFile."""
    with inside.opened(path) as found:
        if found.is_folder:
            raise UnknownFile("This is a folder and no file.", path=clean_text(path))
        data = read_open(found.descriptor, limit)
        told = os.fstat(found.descriptor)
    size = told.st_size if data is None else len(data)
    return Content(clean_text(found.path), size, _time(told.st_mtime), data)


def read_entry(inside: Inside, path: str, limit: int) -> bytes | None:
    """Return a file, or the target of a link as git stores it; None where it is too large.

    Raises FileRefused, UnknownFile.
    """
    folder, _, name = path.rpartition("/")
    with inside.opened(folder) as found:
        try:
            return os.fsencode(os.readlink(name, dir_fd=found.descriptor))
        except (OSError, ValueError):
            pass  # no link, or none that can be read
    with inside.opened(path) as found:
        if found.is_folder:
            raise UnknownFile("This is a folder and no file.", path=clean_text(path))
        return read_open(found.descriptor, limit)


def read_open(descriptor: int, limit: int) -> bytes | None:
    """Return the bytes of an open file; None where there are more than limit."""
    if os.fstat(descriptor).st_size > limit:
        return None
    parts: list[bytes] = []
    total = 0
    while total <= limit and (part := os.read(descriptor, _BLOCK)):
        parts.append(part)
        total += len(part)
    return b"".join(parts) if total <= limit else None


def _names(descriptor: int) -> tuple[list[str], bool]:
    """Return the names of a level in order, and whether it has more than were looked at."""
    found: list[tuple[bool, str, str]] = []
    with os.scandir(descriptor) as entries:
        for count, entry in enumerate(entries):
            if count == MAX_ENTRIES:
                return [name for *_, name in sorted(found)], True
            is_folder = entry.is_dir(follow_symlinks=False)
            found.append((not is_folder, entry.name.casefold(), entry.name))
    return [name for *_, name in sorted(found)], False


def _entry(inside: Inside, folder: Found, name: str) -> Entry | None:
    """Return an entry as it is now; None where it is gone."""
    try:
        told = os.stat(name, dir_fd=folder.descriptor, follow_symlinks=False)
    except OSError:
        return None
    is_link = stat.S_ISLNK(told.st_mode)
    path = f"{folder.path}/{name}" if folder.path else name
    target = _target(inside, path) if is_link else told
    kind = _kind(target)
    is_file = kind == "file" and target is not None
    return Entry(
        name=clean_text(name),
        path=path if clean_text(path) == path else None,
        kind=kind,
        is_link=is_link,
        size=target.st_size if is_file and target else None,
        modified=_time(told.st_mtime),
    )


def _target(inside: Inside, path: str) -> os.stat_result | None:
    """Return the facts of a link's target; None where it lies outside, or nowhere."""
    try:
        with inside.opened(path) as found:
            return os.fstat(found.descriptor)
    except (FileRefused, UnknownFile):
        return None


def _kind(told: os.stat_result | None) -> Kind:
    if told is None:
        return "link"
    if stat.S_ISDIR(told.st_mode):
        return "folder"
    return "file" if stat.S_ISREG(told.st_mode) else "other"


def _time(seconds: float) -> datetime | None:
    """Return a time of the file system; None for one that no calendar has."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None
