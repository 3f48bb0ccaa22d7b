"""Limits of the kernel on what an agent may use, and the powers of root that it does not get."""

from __future__ import annotations

import contextlib
import resource

from sessions.agents.processes.launcher import kernel

# linux/capability.h: CHOWN, DAC_OVERRIDE, FOWNER and FSETID. What root does with files inside of
# the agent's folders stays possible; modules, raw devices, mounts, other processes do not.
KEPT_POWERS = frozenset({0, 1, 3, 4})
MAX_POWERS = 64


def apply(*, processes: int, open_files: int) -> None:
    """Limit this process and what it starts; 0 leaves a limit as it is. No core files."""
    _lower(resource.RLIMIT_CORE, 0)
    if processes:
        _lower(resource.RLIMIT_NPROC, processes)
    if open_files:
        _lower(resource.RLIMIT_NOFILE, open_files)


def give_up_powers() -> None:
    """Keep this process from ever gaining a right, and from root's power over the machine."""
    kernel.call("prctl", kernel.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    for power in set(range(MAX_POWERS)) - KEPT_POWERS:
        # EPERM: this process has none to give up. EINVAL: the kernel has no such power.
        with contextlib.suppress(OSError):
            kernel.call("prctl", kernel.PR_CAPBSET_DROP, power, 0, 0, 0)


def _lower(kind: int, limit: int) -> None:
    soft, hard = resource.getrlimit(kind)
    ceiling = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    floor = ceiling if soft == resource.RLIM_INFINITY else min(soft, ceiling)
    resource.setrlimit(kind, (floor, ceiling))
