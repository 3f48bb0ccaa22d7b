"""This process's name in rows, and whether another one of this host still runs."""

from __future__ import annotations

import os
import secrets
import socket
from typing import Final

# Host and pid let a restarted server see at once that its predecessor is gone; the random part
# keeps a reused pid apart.
PROCESS: Final = f"{socket.gethostname()[:80]}:{os.getpid()}:{secrets.token_hex(4)}"


def is_dead_here(process: str) -> bool:
    """Return whether a process of this host runs no more; False for other hosts: nobody knows."""
    host = PROCESS.rpartition(":")[0].rpartition(":")[0]
    return process != PROCESS and process.startswith(f"{host}:") and not _runs(process)


def _runs(process: str) -> bool:
    pid = process.split(":")[-2]
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (ValueError, PermissionError):
        return True
    return True
