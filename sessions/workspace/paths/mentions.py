"""Files of the folder that a prompt names: checked when it is sent, read when it is handed over."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sessions.core.errors import FileRefused, UnknownFile
from sessions.workspace.files import read_open
from sessions.workspace.inside import Inside

MAX_MENTIONS: Final = 50
# A text of this size goes to the agent in the prompt, where it takes such; all together so much.
EMBED_BYTES: Final = 32 * 1024
EMBED_TOGETHER_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Mentioned:
    """A file or folder that is there. text: of a small file, where it is wanted."""

    name: str
    path: Path
    size: int | None
    text: str | None = None


def checked(inside: Inside | None, paths: Sequence[str]) -> list[str]:
    """Return the paths from the folder, each once. Raises FileRefused outside, UnknownFile."""
    told: dict[str, None] = {}
    for path in paths:
        if inside is None:
            raise UnknownFile(path=path)
        with inside.opened(path):
            told[posixpath.normpath(inside.relative(path))] = None
    return list(told)


def found(inside: Inside | None, paths: Sequence[str], *, takes_text: bool) -> list[Mentioned]:
    """Return those of the paths that are still there, links resolved."""
    here: list[Mentioned] = []
    room = EMBED_TOGETHER_BYTES if takes_text else 0
    for path in paths:
        if inside is None:
            break
        try:
            one = _opened(inside, path, min(room, EMBED_BYTES))
        except (FileRefused, UnknownFile):
            continue  # gone since the prompt was sent: its text still names it
        room -= len(one.text.encode()) if one.text else 0
        here.append(one)
    return here


def _opened(inside: Inside, path: str, room: int) -> Mentioned:
    with inside.opened(path) as file:
        place = inside.place / file.path
        if file.is_folder:
            return Mentioned(path, place, None)
        size = os.fstat(file.descriptor).st_size
        data = read_open(file.descriptor, room) if 0 < size <= room else None
    return Mentioned(path, place, size, _text(data))


def _text(data: bytes | None) -> str | None:
    if not data or b"\0" in data:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None
