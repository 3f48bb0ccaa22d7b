"""The end of an agent for lack of memory: seen by the kernel's counters, or by its last words.

The kernel kills a process of a control group that is at its limit, and counts that. A process
under RLIMIT_DATA is refused memory instead: it ends by itself, and each language has its words.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sessions.agents.processes import scope

MEGABYTE: Final = 1024 * 1024
# Every kill of this machine for lack of memory, in whichever control group.
MACHINE: Final = Path("/proc/vmstat")
# A shell and bubblewrap tell the signal of their child like this.
_KILLED: Final = frozenset({-signal.SIGKILL, 128 + signal.SIGKILL})
_COUNTER_BYTES: Final = 16 * 1024
# Python, JavaScript, C++, Rust, Go, Java and the C library.
_LAST_WORDS: Final = re.compile(
    r"\bMemoryError\b|\bheap out of memory|\bstd::bad_alloc\b|\bmemory allocation of \d+ bytes"
    r"|\b(?:runtime: )?out of memory\b|\bOutOfMemoryError\b|\bCannot allocate memory\b|\bENOMEM\b",
    re.IGNORECASE,
)


def limit_memory(pid: int, memory_mb: int) -> None:
    """Bound the memory that a process and its future children may allocate.

    RLIMIT_DATA, not RLIMIT_AS: JavaScript engines reserve many gigabytes that they never touch.
    """
    if sys.platform == "linux":
        limit = memory_mb * MEGABYTE
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_DATA, (limit, limit))


@dataclass(frozen=True, slots=True)
class Group:
    """A control group whose limit an agent can meet: its folder, and the limit for a person."""

    folder: Path
    limit: str

    def counts(self) -> tuple[int, int]:
        """Return how often it was at its limit with nothing to free, and its processes killed."""
        events = _counters(self.folder / "memory.events")
        # The other file counts the groups below, too, each of which may have a limit.
        own = _counters(self.folder / "memory.events.local") or events
        return own.get("oom", 0), events.get("oom_kill", 0)


class MemoryWatch:
    """The kernel's counters at the start of an agent, to compare at its end."""

    def __init__(self, own: scope.Scope | None, *, memory_mb: int) -> None:
        self._limit = f"{memory_mb:,} MB (CHAT_AGENT_MEMORY_MB)" if memory_mb else ""
        self._own = Group(own.folder, self._limit) if own is not None and memory_mb else None
        self._around = tuple(_around())
        groups = (*self._around, *((self._own,) if self._own else ()))
        self._before = {group: group.counts() for group in groups}
        self._killed_before = _killed_on_machine()

    def reason(self, code: int | None, last_words: str) -> str:
        """Return a sentence for a person when memory was the cause of an end; else nothing.

        code: the exit code, negative for a signal. Call it before the agent's group is removed.
        """
        if self._own and self._has_killed(self._own):
            return f"It ran out of the memory that it may use: {self._limit}."
        if code in _KILLED:
            return self._reason_of_kill()
        if code and _LAST_WORDS.search(last_words):
            per_process = f": each of its processes may use {self._limit}" if self._limit else ""
            return f"It ran out of memory{per_process}."
        return ""

    def _reason_of_kill(self) -> str:
        for group in self._around:
            if self._has_killed(group):
                together = "The server and its agents ran out of the memory that they may use"
                return f"{together}: {group.limit}."
        if _killed_on_machine() > self._killed_before:
            return "The system ended it, because the machine ran out of memory."
        return ""

    def _has_killed(self, group: Group) -> bool:
        return all(
            now > then for now, then in zip(group.counts(), self._before[group], strict=True)
        )


def _around() -> Iterator[Group]:
    """Yield the control groups with a limit that this process is in, the innermost first."""
    group = scope.own_group()
    while group is not None and group.is_relative_to(scope.MOUNT):
        limit = _text(group / "memory.max").strip()
        if limit.isdecimal():
            size = f"{int(limit) // MEGABYTE:,} MB"
            yield Group(group, f"{size} (memory.max of the control group)")
        group = group.parent


def _killed_on_machine() -> int:
    return _counters(MACHINE).get("oom_kill", 0)


def _counters(file: Path) -> dict[str, int]:
    """Return the counters of a file of the kernel, by name; none where there is no such file."""
    words = (line.split() for line in _text(file).splitlines())
    return {pair[0]: int(pair[1]) for pair in words if len(pair) == 2 and pair[1].isdecimal()}


def _text(file: Path) -> str:
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(descriptor, _COUNTER_BYTES).decode("ascii", "replace")
    except OSError:
        return ""
    finally:
        os.close(descriptor)
