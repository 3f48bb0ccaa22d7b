"""Files of prompts, put into a chat's folder: below `.backstay`, which no list of changes has.

Each name is opened by the descriptor of its folder, and never through a link: an agent that puts a
link there leads nothing out.
"""

from __future__ import annotations

import os
import re
import uuid
from pathlib import Path
from typing import Final

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# Below a chat's folder: the server's own, no work of the agent's.
OWN: Final = ".backstay"
PLACE: Final = (OWN, "attachments")
MAX_NAME_CHARS: Final = 80
_ODD: Final = re.compile(r"[^\w.\- ]+")


def put(folder: Path, sha256: str, name: str, data: bytes) -> Path:
    """Write a file under a safe form of its name; return its path. Raises OSError."""
    stored = f"{sha256[:12]}-{safe_name(name)}"
    held = [os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)]
    try:
        for part in PLACE:
            held.append(_folder(part, held[-1]))
        _write(".gitignore", b"*\n", held[1])
        _write(stored, data, held[-1])
    finally:
        for descriptor in held:
            os.close(descriptor)
    return folder.joinpath(*PLACE, stored)


def safe_name(name: str) -> str:
    """Return a name for a file: no path, no control characters, no dot or dash in front."""
    base = _ODD.sub("_", name.replace("\\", "/").rpartition("/")[2]).strip(" .-")
    stem, dot, ending = base.rpartition(".")
    if not dot:
        return base[:MAX_NAME_CHARS] or "file"
    return f"{stem[: MAX_NAME_CHARS - 16]}.{ending[:15]}"


def _folder(name: str, parent: int) -> int:
    try:
        os.mkdir(name, 0o755, dir_fd=parent)
    except FileExistsError:
        return os.open(name, _FOLDER, dir_fd=parent)
    descriptor = os.open(name, _FOLDER, dir_fd=parent)
    os.fchmod(descriptor, 0o755)  # by no umask: an agent may be another system user
    return descriptor


def _write(name: str, data: bytes, folder: int) -> None:
    """Write a file in one step: a link under its name is replaced, not followed."""
    new = f".new-{uuid.uuid4().hex}"
    descriptor = os.open(new, _NEW, 0o600, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            os.fchmod(descriptor, 0o644)
        os.replace(new, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        os.unlink(new, dir_fd=folder)
        raise
