"""Files of JSON lines that any program may have written: read within bounds, faults apart.

A link, a pipe, a folder is no such file. A line that is too long, is cut or is no JSON object costs
itself alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from sessions.agents.processes import environment

HEAD_BYTES: Final = 32 * 1024
TAIL_BYTES: Final = 8 * 1024
# Of a file that is read whole: its last bytes, and no longer line.
WHOLE_BYTES: Final = 64 * 1024 * 1024
LINE_BYTES: Final = 4 * 1024 * 1024
# Entries of all folders together that are looked at.
MAX_ENTRIES: Final = 20_000

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ends:
    """The first and the last lines of a file."""

    head: list[bytes]
    tail: list[bytes]


@dataclass(frozen=True, slots=True)
class Entry:
    """A regular file. changed_at: seconds since the epoch."""

    path: Path
    changed_at: float


def home_of(variable: str, name: str) -> Path:
    """Return the folder of an agent: the one of a variable, else a name in the home folder."""
    told = environment.build((variable,), {}).get(variable)
    return Path(told) if told else Path.home() / name


def files(folders: Iterable[Path], suffix: str) -> list[Entry]:
    """Return the regular files of some folders with a suffix, the last changed first."""
    found: list[Entry] = []
    seen = 0
    for folder in folders:
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                seen += 1
                if seen > MAX_ENTRIES:
                    break
                if entry.name.endswith(suffix) and entry.is_file(follow_symlinks=False):
                    with contextlib.suppress(FileNotFoundError):  # gone meanwhile
                        changed_at = entry.stat(follow_symlinks=False).st_mtime
                        found.append(Entry(Path(entry.path), changed_at))
    return sorted(found, key=lambda entry: -entry.changed_at)


def folders(parent: Path) -> list[Path]:
    """Return the folders in a folder, links not among them, the last name first."""
    found: list[str] = []
    with contextlib.suppress(OSError), os.scandir(parent) as entries:
        for number, entry in enumerate(entries):
            if number >= MAX_ENTRIES:
                break
            if entry.is_dir(follow_symlinks=False):
                found.append(entry.path)
    return [Path(path) for path in sorted(found, reverse=True)]


def changed_at(path: Path) -> float:
    """Return when a regular file was changed, 0 for anything else."""
    with contextlib.suppress(OSError):
        facts = path.lstat()
        return facts.st_mtime if stat.S_ISREG(facts.st_mode) else 0.0
    return 0.0


def ends(path: Path) -> Ends:
    """Return the ends of a file, without its lines that are cut."""
    with contextlib.suppress(OSError), _opened(path) as file:
        head = file.read(HEAD_BYTES)
        size = os.fstat(file.fileno()).st_size
        if size <= len(head):
            lines = head.split(b"\n")
            return Ends(lines, lines)
        file.seek(max(len(head), size - TAIL_BYTES))
        tail = file.read(TAIL_BYTES).split(b"\n")
        return Ends(head.split(b"\n")[:-1], tail[1:])
    return Ends([], [])


def whole(path: Path) -> Iterator[Json]:
    """Yield the objects of a file, of a huge one those of its end."""
    with contextlib.suppress(OSError), _opened(path) as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - WHOLE_BYTES))
        yield from objects(_lines(file))


def objects(lines: Iterable[bytes]) -> Iterator[Json]:
    """Yield the lines that are JSON objects."""
    for line in lines:
        if line.startswith(b"{"):
            with contextlib.suppress(ValueError, RecursionError):
                value = json.loads(line)
                if isinstance(value, dict):
                    yield value


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of bounded length; a longer one is passed over."""
    left, is_long = WHOLE_BYTES, False
    while left > 0 and (line := file.readline(LINE_BYTES)):
        left -= len(line)
        is_end = line.endswith(b"\n")
        if not is_long and (is_end or len(line) < LINE_BYTES):
            yield line
        is_long = not is_end


def _opened(path: Path) -> BinaryIO:
    """Open a regular file, without waiting and without following a link. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("not a regular file")
    return os.fdopen(descriptor, "rb")


def text(fields: Any, name: str) -> str:
    """Return a field that is a text, else ""."""
    value = fields.get(name) if isinstance(fields, dict) else None
    return value if isinstance(value, str) else ""


def objects_of(value: Any) -> list[Json]:
    """Return the objects of a list, [] for anything else."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
