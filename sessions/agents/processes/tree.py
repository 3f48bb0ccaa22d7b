"""Which processes belong to an agent, or to a session whose runner died: strays included.

A tool may start a child in a session of its own and end before it: then neither parentage nor the
process group finds the child. So an agent is started with two words in its environment, which its
descendants inherit (as build servers find stray processes). MARK is new for each agent: its own
runner finds by it the processes that must end with it. SESSION is the chat session's id: a later
runner finds by it the remains of a killed one, which must not run beside the next agent.

A child that leaves the tree and clears its environment is found only when it was seen before:
`scan` takes the processes remembered so far. Processes of other users are not seen.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

import psutil

from sessions.core.reserves.files import spare_files

MARK = "BACKSTAY_AGENT_MARK"
SESSION = "BACKSTAY_SESSION"

KILL_ROUNDS = 20
KILL_ROUND_S = 0.05


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
    for process in _all():
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
    with contextlib.suppress(psutil.Error, OSError), spare_files.lent():
        for process in psutil.Process(root).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                refs.add(ProcessRef(process.pid, process.create_time()))
    return refs


def of_session(session_id: str) -> list[ProcessRef]:
    """Return the living processes of a session, the agent before its children."""
    found = []
    for process in _all():
        with contextlib.suppress(psutil.Error, OSError):
            is_ours = _carries(process, SESSION, session_id)
            if is_ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(ProcessRef(process.pid, process.create_time()))
    return sorted(found, key=lambda ref: ref.started)


def kill_session(session_id: str) -> int:
    """SIGKILL the processes of a session, as `kill_all`; return their number."""
    return kill_all(lambda: of_session(session_id))


def kill_all(find: Callable[[], Collection[ProcessRef]]) -> int:
    """SIGKILL the processes that find returns until there are none; return their number.

    Blocking; bounded to about a second.
    """
    killed: set[ProcessRef] = set()
    for _ in range(KILL_ROUNDS):
        found = find()
        if not found:
            break
        send_signal(found, signal.SIGKILL)
        killed.update(found)
        time.sleep(KILL_ROUND_S)
    return len(killed)


def _all() -> Iterator[psutil.Process]:
    """Yield all processes; while no descriptor is free, by the spare ones."""
    with spare_files.lent():
        yield from psutil.process_iter()


def is_alive(ref: ProcessRef) -> bool:
    """Return whether this very process still runs (a zombie does not)."""
    try:
        with spare_files.lent():
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
    return _carries(process, MARK, mark)


def _carries(process: psutil.Process, name: str, value: str) -> bool:
    """Return whether a variable of a process has a value."""
    try:
        return bool(process.environ().get(name) == value)
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
