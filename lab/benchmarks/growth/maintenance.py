"""The commands that pass over a whole log: their times, and the most memory that they held."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from typing import Final

from lab.benchmarks.growth import curves
from lab.benchmarks.results.record import Fact, Run
from lab.benchmarks.sizes import Sizes
from lab.rig.processes import ROOT

# The migration to which a database goes back, so that all later ones meet millions of rows.
EARLIER: Final = "0010"
COMMANDS: Final = {
    "check_log": ["check_log"],
    "prune_events --dry-run": ["prune_events", "--older-than", "0m", "--dry-run"],
    "migrate, back to 0010": ["migrate", "chat_sessions", EARLIER],
    "migrate, all since 0010": ["migrate"],
    "prune_events": ["prune_events", "--older-than", "0m"],
    "check_log, pruned": ["check_log"],
}
# Of a command's words the page shows the last.
SHOWN_LINES: Final = 4


def measure(sizes: Sizes) -> Iterator[Run | Fact]:
    """Make the longest log and run each command on it, as a process of its own."""
    with curves.growing() as (process, _folder, environment):
        step = curves.of_log(sizes)[-1]
        [grown] = curves.grow(process, [step], deltas=sizes.answer_deltas)
        for case, arguments in COMMANDS.items():
            seconds, peak_mb, said = run(arguments, environment)
            values = {"size": grown.size, "seconds": seconds, "peak_mb": peak_mb}
            yield Run(case, "Backstay, SQLite", 1, {**values})
            lines = [line for line in said.splitlines() if line.strip()]
            yield Fact(f"Output of `{' '.join(arguments)}`", "\n".join(lines[-SHOWN_LINES:]))


def run(arguments: list[str], environment: Mapping[str, str]) -> tuple[float, float, str]:
    """Run a management command; return its seconds, its most MB and its words.

    Raises RuntimeError when it fails.
    """
    with tempfile.TemporaryFile() as output:
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        # Not Popen.wait: this one tells how much memory the process has had.
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - began
        output.seek(0)
        said = output.read().decode("utf-8", "replace")
    if process.returncode:
        raise RuntimeError(f"{' '.join(arguments)} ended with {process.returncode}:\n{said}")
    return seconds, usage.ru_maxrss / 1000, said
