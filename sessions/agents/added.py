"""The agents that staff have added on the page: rows of a file in DATA_DIR, read at each use.

A preset and an agent of CHAT_AGENTS_FILE come before one of the same name.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from sessions.agents import acp_registry
from sessions.agents.agents_file import NAME
from sessions.agents.definitions import Definition
from sessions.core.conf import data_dir
from sessions.core.errors import InvalidRequest, InvalidSetting

MAX_AGENTS: Final = 50
MAX_COMMAND_CHARS: Final = 2_000
MAX_LABEL_CHARS: Final = 80
# A command with such characters is not the one that a person sees.
_HIDDEN: Final = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff]"
)


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid")

    label: str = Field(min_length=1, max_length=MAX_LABEL_CHARS)
    command: tuple[str, ...] = Field(min_length=1)
    env: dict[str, str] = Field(default_factory=dict)
    by: str = ""


_ROWS: Final = TypeAdapter(dict[str, _Row])


def read() -> dict[str, Definition]:
    """Return the added agents by their names. Raises InvalidSetting."""
    return {
        name: Definition(
            name, row.label, f"Added by {row.by or 'staff'}.", row.command, env=row.env
        )
        for name, row in _rows().items()
    }


def add(name: str, *, label: str, command: str, by: str, taken: Collection[str]) -> Definition:
    """Add an agent; command: words as in a shell, which never sees them. Raises InvalidRequest.

    taken: names of other agents.
    """
    row = _Row(label=_label(label or name), command=_words(command), by=by)
    return _add(name, row, taken)


def add_known(name: str, *, by: str, taken: Collection[str]) -> Definition:
    """Add an agent of the registry as this server can start it. Raises InvalidRequest."""
    entry = acp_registry.find(name)
    if entry is None or entry.start is None:
        raise InvalidRequest(f"This server cannot start {name}.")
    command, env = entry.start
    return _add(name, _Row(label=entry.name, command=command, env=dict(env), by=by), taken)


def _add(name: str, row: _Row, taken: Collection[str]) -> Definition:
    if not NAME.fullmatch(name):
        raise InvalidRequest("A name has small letters, digits, - and _, and begins with no sign.")
    with _locked():
        rows = _rows()
        if name in taken or name in rows:
            raise InvalidRequest(f"There is an agent {name} already.")
        if len(rows) >= MAX_AGENTS:
            raise InvalidRequest(f"At most {MAX_AGENTS} agents can be added.")
        _write({**rows, name: row})
    return read()[name]


def remove(name: str) -> bool:
    """Remove an added agent; return whether there was one."""
    with _locked():
        rows = _rows()
        if name not in rows:
            return False
        _write({other: row for other, row in rows.items() if other != name})
    return True


def _label(label: str) -> str:
    label = label.strip()
    if not label or len(label) > MAX_LABEL_CHARS or _HIDDEN.search(label):
        raise InvalidRequest(f"A label is one line of at most {MAX_LABEL_CHARS} characters.")
    return label


def _words(command: str) -> tuple[str, ...]:
    if len(command) > MAX_COMMAND_CHARS or _HIDDEN.search(command):
        raise InvalidRequest("The command is too long, or has characters that cannot be seen.")
    try:
        words = tuple(shlex.split(command))
    except ValueError as exc:
        raise InvalidRequest("The command has a quote that does not end.") from exc
    if not words or not words[0] or shutil.which(words[0]) is None:
        raise InvalidRequest("The program of this command is not on the server's PATH.")
    return words


def _place() -> Path:
    return data_dir() / "agents.json"


def _rows() -> Mapping[str, _Row]:
    try:
        return _ROWS.validate_json(_place().read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValidationError) as exc:
        raise InvalidSetting(f"{_place()} cannot be read as the added agents.") from exc


def _write(rows: Mapping[str, _Row]) -> None:
    """Replace the file; a crash leaves the old one or the new one, whole."""
    place = _place()
    told: dict[str, Any] = {name: row.model_dump() for name, row in rows.items()}
    descriptor, new = tempfile.mkstemp(dir=place.parent, prefix="agents-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(told, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        Path(new).replace(place)
    except OSError:
        Path(new).unlink(missing_ok=True)
        raise


@contextmanager
def _locked() -> Iterator[None]:
    """Hold the file's lock: several processes may add agents."""
    data_dir().mkdir(parents=True, exist_ok=True)
    with _place().with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
