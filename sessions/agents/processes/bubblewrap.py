"""Bubblewrap: the sandbox program that confines agents where the kernel has no Landlock."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PROGRAM = "bwrap"
_PROBE_S = 20.0
_ALONE = ("--unshare-pid", "--unshare-ipc", "--die-with-parent", "--proc", "/proc", "--dev", "/dev")


def works() -> bool:
    """Return whether bubblewrap is installed and the system lets it do its work."""
    if shutil.which(PROGRAM) is None:
        return False
    command = (PROGRAM, *_ALONE, "--ro-bind", "/", "/", "--", "true")
    tried = subprocess.run(command, capture_output=True, timeout=_PROBE_S, check=False)  # noqa: S603 (our own words)
    return tried.returncode == 0


def command(order: Mapping[str, Any], *, temporary: str) -> tuple[str, ...]:
    """Return the words before a command that runs it in a view of an order's paths."""
    words = [PROGRAM, *_ALONE]
    for target in ("/tmp", "/var/tmp"):  # noqa: S108 (the agent's own one is mounted there)
        words += ["--bind", temporary, target]
    words += ["--ro-bind-try", "/sys", "/sys"]
    kinds = dict.fromkeys(order["read"], "--ro-bind-try")
    kinds |= dict.fromkeys(order["write"], "--bind-try")
    for path, kind in sorted(kinds.items()):  # a folder before its contents
        words += [kind, path, path]
    for path in order["hidden"]:
        words += ["--tmpfs", path] if Path(path).is_dir() else ["--ro-bind", "/dev/null", path]
    for path, target in order["links"].items():
        if not kinds.keys() & set(map(str, Path(path).parents)):  # else it is there already
            words += ["--symlink", target, path]
    return (*words, "--chdir", order["cwd"], "--")
