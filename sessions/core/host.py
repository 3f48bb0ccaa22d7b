"""This process: its name in rows, whether another one of this host still runs, its pauses."""

from __future__ import annotations

import ctypes
import functools
import gc
import os
import resource
import secrets
import socket
import sys
from contextlib import suppress
from typing import Final

import psutil

from sessions.core.reserves.files import spare_files

# How long a busy thread may keep the interpreter from one that waits. Python's 5 ms would hold an
# append up at each of its dozen calls of the database.
SWITCH_S: Final = 0.0003


# malloc.h of glibc.
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
# Blocks of memory from this size on go back to the system when they are freed.
LARGE_BYTES: Final = 128 * 1024
ARENAS: Final = 2
# A process that has grown by less since the last look keeps its free memory.
GROWTH_BYTES: Final = 8 * 1024 * 1024
SPARE_FILES: Final = 6

# The limit of open files before this process raised it: the one that its agents get.
_USUAL_FILES: Final = resource.getrlimit(resource.RLIMIT_NOFILE)


def allow_many_files() -> None:
    """Take as many open files as the system allows: every stream is one. Keep some spare ones.

    Many systems give a process 1,024 unless it asks.
    """
    spare_files.keep(SPARE_FILES)
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


def return_memory() -> None:
    """Give freed memory back to the system. Call it before threads are started.

    glibc keeps an arena for every thread, and large blocks once it has seen a larger one freed:
    after a few long texts a server would hold the memory of all of them. Other C libraries have
    their own ways, and no such call.
    """
    tune = getattr(ctypes.CDLL(None), "mallopt", None)
    if tune is None:
        return
    tune(_M_ARENA_MAX, ARENAS)
    tune(_M_MMAP_THRESHOLD, LARGE_BYTES)
    tune(_M_TRIM_THRESHOLD, LARGE_BYTES)


def give_freed_memory_back() -> None:
    """Return the small blocks that the C library holds to the system; it takes milliseconds."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


class FreedMemory:
    """The memory that this process has freed and the C library still holds, in small blocks."""

    def __init__(self) -> None:
        self._resident = 0

    def give_back(self) -> None:
        """Return it to the system when the process has grown."""
        if psutil.Process().memory_info().rss > self._resident + GROWTH_BYTES:
            give_freed_memory_back()
            self._resident = psutil.Process().memory_info().rss


@functools.cache
def process_name() -> str:
    """Return the name of this process in rows: host, pid and a random part.

    Host and pid let a restarted server see at once that its predecessor is gone; the random part
    keeps a reused pid apart.
    """
    return f"{socket.gethostname()[:32]}:{os.getpid()}:{secrets.token_hex(4)}"


def is_dead_here(process: str) -> bool:
    """Return whether a process of this host has ended. False for other hosts: it is not known."""
    host, pid, token = process_name().rsplit(":", 2)
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
