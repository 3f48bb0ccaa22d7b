"""The results as Markdown tables, beside the facts of the machine."""

from __future__ import annotations

import os
import platform
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

from lab.benchmarks.appends import Appends
from lab.benchmarks.neighbour import Neighbour
from lab.benchmarks.scenarios import Delivery, Idle, Return

PACKAGES = ("django", "daphne", "twisted", "channels", "django-eventstream", "psycopg")


def machine() -> str:
    """Return the machine behind the numbers, as one paragraph."""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC · {os.cpu_count()} cores ({_processor()}) · "
        f"load {load} at the start · {platform.system()} {platform.release()} · "
        f"Python {platform.python_version()} · SQLite {sqlite3.sqlite_version} · {packages}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; numbers stand to the right."""
    lines = [head, [":--", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def deliveries(runs: Sequence[Delivery]) -> str:
    """Return the table of (a) or (b), one row per run."""
    head = [
        "server",
        "appended",
        "delivered",
        "of",
        "per s",
        "p50 ms",
        "p99 ms",
        "skipped",
        "missing",
        "repeated",
        "server CPU s",
        "client CPU s",
        "others",
        "ended by",
    ]
    return table(head, (_delivery(run) for run in runs))


def _delivery(run: Delivery) -> list[object]:
    counted = run.counted
    return [
        run.contender,
        f"{run.appended:,}",
        f"{counted['delivered']:,}",
        f"{run.expected:,}",
        f"{run.deliveries_per_s:,.0f}",
        f"{counted['p50_ms']:,.1f}",
        f"{counted['p99_ms']:,.1f}",
        f"{counted['skipped']:,}",
        f"{counted['missing']:,}",
        f"{counted['repeated']:,}",
        f"{run.server_cpu_s:.1f}",
        f"{counted['client_cpu_s']:.1f}",
        f"{run.others:.0%}",
        counted["ended_by"],
    ]


def ratio(runs: Sequence[Delivery], ours: str, peer: str) -> str:
    """Return how the medians of two contenders' deliveries per second compare."""
    mid = {
        name: median(run.deliveries_per_s for run in runs if run.contender == name)
        for name in (ours, peer)
    }
    return (
        f"Median deliveries per second: {ours} {mid[ours]:,.0f}, {peer} {mid[peer]:,.0f}: "
        f"{mid[ours] / mid[peer]:,.0f} times."
    )


def returns(runs: Sequence[Return]) -> str:
    """Return the table of (c)."""
    head = ["server", "gap", "clients", "events each", "p50 ms", "max ms", "all ms", "CPU ms each"]
    rows = [
        [
            run.contender,
            f"{run.gap:,}",
            f"{run.returned} of {run.asked}",
            f"{run.events_each:,.0f}",
            f"{run.p50_ms:,.0f}",
            f"{run.max_ms:,.0f}",
            f"{run.total_ms:,.0f}",
            f"{run.server_cpu_ms_each:,.1f}",
        ]
        for run in runs
    ]
    return table(head, rows)


def appends(runs: Sequence[Appends]) -> str:
    """Return the table of (d)."""
    head = [
        "database",
        "single appends/s",
        "group commit events/s",
        "turn p50 ms",
        "turn p99 ms",
        "receipts/s",
        "receipt p50 ms",
        "receipt p99 ms",
    ]
    rows = [
        [
            run.database,
            f"{run.singles_per_s:,.0f}",
            f"{run.grouped_per_s:,.0f}",
            f"{run.turn_p50_ms:.1f}",
            f"{run.turn_p99_ms:.1f}",
            f"{run.receipts_per_s:,.0f}",
            f"{run.receipt_p50_ms:.1f}",
            f"{run.receipt_p99_ms:.1f}",
        ]
        for run in runs
    ]
    return table(head, rows)


def idles(runs: Sequence[Idle]) -> str:
    """Return the table of (e)."""
    head = ["server", "streams", "opened in s", "KiB each", "threads", "database file open"]
    rows = [
        [
            run.contender,
            f"{run.opened:,} of {run.streams:,}",
            f"{run.open_s:.1f}",
            f"{run.kib_each:.1f}",
            run.threads,
            run.database_files,
        ]
        for run in runs
    ]
    return table(head, rows)


def neighbours(runs: Sequence[Neighbour]) -> str:
    """Return the table of (f)."""
    head = ["beside", "events", "s", "words", "late p50 ms", "p99 ms", "worst ms", "memory MB"]
    rows = [
        [
            f"{run.deltas:,} deltas" if run.deltas else "nothing",
            f"{run.events:,}",
            f"{run.seconds:.1f}",
            run.words,
            f"{run.late_p50_ms:.1f}",
            f"{run.late_p99_ms:.1f}",
            f"{run.late_worst_ms:.1f}",
            f"+{run.grown_mb:.0f}",
        ]
        for run in runs
    ]
    return table(head, rows)
