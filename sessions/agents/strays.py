"""Processes of a session whose runner died: found by the session's id in their environment.

A runner that is killed takes no leave of its agents. Most end when their pipe closes; one that
hangs, and what its tools have started, must not go on beside the agent that comes next.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time

import psutil

# Every agent is started with the id of its session under this name; descendants inherit it.
SESSION = "BACKSTAY_SESSION"
ROUNDS = 20
ROUND_S = 0.05


def kill(session_id: str) -> int:
    """SIGKILL every process of a session on this machine until none is left; return their number.

    Blocking; bounded to about a second. Processes of other users are not seen.
    """
    killed: set[int] = set()
    for _ in range(ROUNDS):
        found = find(session_id)
        if not found:
            break
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
        time.sleep(ROUND_S)
    return len(killed)


def find(session_id: str) -> list[int]:
    """Return the pids of the living processes that carry a session's id."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            is_ours = process.environ().get(SESSION) == session_id
            if is_ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found
