"""The processes of an agent, strays included: by parentage, group, session and inherited mark.

A tool may start a child in a session of its own and end before it: then neither the process group
nor parentage finds the child. Every agent is therefore started with MARK=<unique value> in its
environment, which descendants inherit (the way build servers find stray processes). A child that
both leaves the tree and clears its environment is found only when it was seen before: `scan` takes
the processes remembered so far.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

MARK = "BACKSTAY_AGENT_MARK"


@dataclass(frozen=True, slots=True)
class ProcessRef:
    """A process that cannot be mistaken for a later one with its pid.

    started: seconds since the epoch.
    """

    pid: int
    started: float


def scan(root: int, *, mark: str, known: Iterable[ProcessRef] = ()) -> set[ProcessRef]:
    """Return the living processes that belong to root, itself included.

    Its group, its session, marked and known processes, and all their descendants.
    """
    refs: dict[int, ProcessRef] = {}
    children: defaultdict[int, list[int]] = defaultdict(list)
    remembered = set(known)
    seeds: list[int] = []
    for process in psutil.process_iter():
        # oneshot: several facts for one read of the system's table.
        with contextlib.suppress(psutil.Error, OSError), process.oneshot():
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            ref = ProcessRef(process.pid, process.create_time())
            refs[ref.pid] = ref
            children[process.ppid()].append(ref.pid)
            if ref in remembered or _belongs(process, root, mark):
                seeds.append(ref.pid)
    return {refs[pid] for pid in _with_descendants(seeds, children)}


def descendants(root: int) -> set[ProcessRef]:
    """Return the living processes below root by parentage alone."""
    refs: set[ProcessRef] = set()
    with contextlib.suppress(psutil.Error):
        for process in psutil.Process(root).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                refs.add(ProcessRef(process.pid, process.create_time()))
    return refs


def is_alive(ref: ProcessRef) -> bool:
    """Return whether this very process still runs (a zombie does not)."""
    try:
        process = psutil.Process(ref.pid)
        is_same = bool(process.create_time() == ref.started)
        return is_same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def send_signal(refs: Iterable[ProcessRef], signum: signal.Signals) -> None:
    """Signal each process that still is the one that was seen."""
    for ref in refs:
        if is_alive(ref):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(ref.pid, signum)


def _belongs(process: psutil.Process, root: int, mark: str) -> bool:
    pid = process.pid
    if pid == root or os.getpgid(pid) == root or os.getsid(pid) == root:
        return True
    try:
        return bool(process.environ().get(MARK) == mark)
    except psutil.AccessDenied:
        return False  # another user's process


def _with_descendants(seeds: list[int], children: dict[int, list[int]]) -> set[int]:
    found: set[int] = set()
    waiting = list(seeds)
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting.extend(children.get(pid, ()))
    return found
