"""This process's name in rows, and whether another one of this host still runs."""

from __future__ import annotations

import os
import secrets
import socket
from typing import Final

# Host and pid let a restarted server see at once that its predecessor is gone; the random part
# keeps a reused pid apart.
PROCESS: Final = f"{socket.gethostname()[:32]}:{os.getpid()}:{secrets.token_hex(4)}"


def is_dead_here(process: str) -> bool:
    """Return whether a process of this host runs no more; False for other hosts: nobody knows."""
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
