"""The server's own files: for its user alone, with any umask and earlier modes.

DATA_DIR holds the database, the secret key and the agents' conversations. Another user of the
machine who can read them is everybody.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from django.core import checks

from sessions.core.conf import chat, data_dir, own_database_files

logger = logging.getLogger(__name__)

_OTHERS: Final = stat.S_IRWXO
_GROUP: Final = stat.S_IRWXG

# The umask that the server was started with: its agents work with it, as their user expects.
_usual_umask: int | None = None


def keep_files_private() -> None:
    """Close the server's files to others and make new ones closed. Call it at the start."""
    global _usual_umask
    before = os.umask(_umask())
    _usual_umask = before if _usual_umask is None else _usual_umask
    for path in _open_files():
        logger.warning("%s", _mend(path))


def usual_umask() -> int:
    """Return the umask for programs of the user; -1 while it is unchanged."""
    return -1 if _usual_umask is None else _usual_umask


def problems() -> list[str]:
    """Return a sentence for each file of the server that others can open."""
    return [f"{path} is open to other users of this machine." for path in _open_files()]


def check(**_kwargs: Any) -> list[checks.CheckMessage]:
    """Return a warning for each file that is open: `manage.py check --deploy`."""
    hint = "A start of the server closes it, if the server's user owns it."
    return [checks.Warning(text, hint=hint, id="backstay.W001") for text in problems()]


def _open_files() -> Iterator[Path]:
    """Yield the folder of the data, the files in it, and the database, as far as they are open.

    A link is left alone: it leads to a file that is kept elsewhere.
    """
    folder = data_dir().resolve()
    inside = [path for path in folder.iterdir() if not path.is_symlink() and path.is_file()]
    seen = {folder, *inside, *(path for path in own_database_files() if path.is_file())}
    yield from sorted(path for path in seen if _mode(path) & _forbidden(path))


def _mend(path: Path) -> str:
    try:
        path.chmod(_mode(path) & ~_forbidden(path))
    except OSError as exc:
        return f"{path} is open to other users of this machine and cannot be closed: {exc.strerror}"
    return f"{path} was open to other users of this machine and is closed now"


def _mode(path: Path) -> int:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:  # a journal of the database comes and goes
        return 0


def _forbidden(path: Path) -> int:
    """Return the bits that a file must not have.

    A folder with the setgid bit is shared with its group on purpose. The system users of accounts
    pass through the folder to their own, and see nothing on the way.
    """
    passing = stat.S_IXOTH | stat.S_IXGRP if chat.AGENT_USER and path.is_dir() else 0
    return (_OTHERS | (0 if _is_shared() else _GROUP)) & ~passing


def _umask() -> int:
    if _is_shared():
        return 0o007
    return 0o066 if chat.AGENT_USER else 0o077


def _is_shared() -> bool:
    return bool(_mode(data_dir().resolve()) & stat.S_ISGID)
