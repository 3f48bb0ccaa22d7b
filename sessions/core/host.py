"""This process: its name in rows, whether another one of this host still runs, its pauses."""

from __future__ import annotations

import gc
import os
import resource
import secrets
import socket
import sys
from contextlib import suppress
from typing import Final

# Host and pid let a restarted server see at once that its predecessor is gone; the random part
# keeps a reused pid apart.
PROCESS: Final = f"{socket.gethostname()[:32]}:{os.getpid()}:{secrets.token_hex(4)}"

# How long a busy thread may keep the interpreter from one that waits. Python's 5 ms would hold an
# append up at each of its dozen calls of the database.
SWITCH_S: Final = 0.0003


# The limit of open files before this process raised it: the one that its agents get.
_USUAL_FILES: Final = resource.getrlimit(resource.RLIMIT_NOFILE)


def allow_many_files() -> None:
    """Take as many open files as the system allows: every stream is one.

    Many systems give a process 1,024 unless it asks.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS has a hard limit that it does not keep
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def limit_files_as_usual(pid: int) -> None:
    """Give a child the limit that this process was started with. Linux alone can.

    Programs that use select() break with descriptors over 1,024; some close every possible one.
    """
    if sys.platform == "linux":
        with suppress(ProcessLookupError, PermissionError):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, _USUAL_FILES)


def keep_pauses_short() -> None:
    """Shorten the pauses of all sessions at once. Call it when everything is loaded.

    A full garbage collection walks all modules and models, some 60 ms: it leaves them alone.
    """
    sys.setswitchinterval(SWITCH_S)
    gc.collect()
    gc.freeze()


def is_dead_here(process: str) -> bool:
    """Return whether a process of this host has ended. False for other hosts: it is not known."""
    host, pid, token = PROCESS.rsplit(":", 2)
    try:
        its_host, its_pid, its_token = process.rsplit(":", 2)
        number = int(its_pid)
    except ValueError:
        return False
    if its_host != host:
        return False
    if its_pid == pid:
        # In a container the next server often gets the pid of the last.
        return not its_token.startswith(token)
    return not _runs(number)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
