"""Scopes: a control group for each session's agent, where the system has delegated one to us.

It bounds the memory and the number of all processes of an agent together, and ends them together.
That needs control groups version 2 and a delegation, such as `Delegate=yes` of systemd.
See docs/deploy/service.md.
"""

from __future__ import annotations

import contextlib
import logging
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from sessions.core.conf import chat

logger = logging.getLogger(__name__)

MOUNT: Final = Path("/sys/fs/cgroup")
OWN: Final = Path("/proc/self/cgroup")
NEEDED: Final = frozenset({"memory", "pids"})
# The leaf of the server's own processes: a group with limited children has none itself.
SERVER: Final = "server"
MEGABYTE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Scope:
    """The control group of one agent."""

    folder: Path

    def add(self, pid: int) -> None:
        """Move a process into it, with all that it starts from now on."""
        with contextlib.suppress(ProcessLookupError):
            _write(self.folder / "cgroup.procs", str(pid))

    def end(self) -> None:
        """End every process in it, and remove it where that is possible by now."""
        with contextlib.suppress(OSError):
            _write(self.folder / "cgroup.kill", "1")
        with contextlib.suppress(OSError):
            self.folder.rmdir()


def make(name: str) -> Scope | None:
    """Return a scope with the limits of the settings; None where the system has none for us."""
    parent = delegated()
    if parent is None:
        return None
    folder = parent / f"agent-{name}"
    try:
        folder.mkdir(exist_ok=True)
        _limit(folder / "pids.max", chat.AGENT_PROCESSES)
        _limit(folder / "memory.max", chat.AGENT_MEMORY_MB * MEGABYTE)
    except OSError as exc:
        logger.warning("an agent has no scope", extra={"why": str(exc)})
        return None
    return Scope(folder)


@lru_cache(maxsize=1)
def delegated() -> Path | None:
    """Return the group below which we may make others, with its controllers on. Asks once."""
    group = own_group()
    if group is None or not os.access(group / "cgroup.procs", os.W_OK):
        return None
    try:
        if not set((group / "cgroup.controllers").read_text().split()) >= NEEDED:
            return None
        _make_room(group)
    except OSError as exc:
        logger.warning("control groups are not delegated", extra={"why": str(exc)})
        return None
    return group


def own_group() -> Path | None:
    """Return our group of version 2: the whole hierarchy, not one beside version 1."""
    if not (MOUNT / "cgroup.controllers").is_file():
        return None
    for line in OWN.read_text().splitlines():
        number, _, path = line.partition("::")
        if number == "0":
            return MOUNT / path.lstrip("/")
    return None


def _make_room(group: Path) -> None:
    """Move the processes of a group into a leaf, then let its children have limits."""
    leaf = group / SERVER
    leaf.mkdir(exist_ok=True)
    for pid in (group / "cgroup.procs").read_text().split():
        with contextlib.suppress(ProcessLookupError):
            _write(leaf / "cgroup.procs", pid)
    _write(group / "cgroup.subtree_control", " ".join(f"+{name}" for name in sorted(NEEDED)))


def _limit(file: Path, limit: int) -> None:
    _write(file, str(limit) if limit else "max")


def _write(file: Path, text: str) -> None:
    # Files of the kernel: they are there already, and take one write.
    descriptor = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode("ascii"))
    finally:
        os.close(descriptor)
