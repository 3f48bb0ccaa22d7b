"""The gauges of a server, and the verdict whether one of them grows."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import psutil

from lab.benchmarks.results.record import Value

# Logs grow, and closed connections are kept for a day; sqlite_*, chat_search*: the index of texts.
LASTING: Final = ("chat_sessions_event", "chat_sessions_message", "sqlite_", "chat_search")
# Tables of which the open rows count alone.
OPEN_ALONE: Final = ("transport_connection", "transport_watch")
STEADY: Final = "steady"
GROWS: Final = "grows"


@dataclass(frozen=True, slots=True)
class Allowance:
    """The growth that is noise: a share of the early value, and so much more."""

    share: float
    more: float

    def of(self, early: float) -> float:
        """Return the largest late value that is steady."""
        return early * (1 + self.share) + self.more


# Memory: arenas that are freed in another order. Descriptors: streams that return in this moment.
ALLOWED: Final = {
    "memory, MB": Allowance(0.05, 5),
    "threads": Allowance(0, 1),
    "descriptors": Allowance(0.02, 5),
    "rows": Allowance(0.02, 10),
}


def read(process: psutil.Process, database: Path) -> dict[str, float]:
    """Return every gauge of a server at this moment."""
    return {
        "memory, MB": process.memory_info().rss / 1e6,
        "threads": process.num_threads(),
        "descriptors": process.num_fds(),
        "rows": count_rows(database),
    }


def count_rows(database: Path) -> int:
    """Return the rows of all tables, but for those that last by design."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        names = [name for (name,) in tables.fetchall() if not name.startswith(LASTING)]
        return sum(_rows(connection, name) for name in names)


def _rows(connection: sqlite3.Connection, table: str) -> int:
    where = " WHERE closed_at IS NULL" if table.startswith(OPEN_ALONE) else ""
    [count] = connection.execute(f'SELECT count(*) FROM "{table}"{where}').fetchone()
    return int(count)


def verdicts(samples: Sequence[Mapping[str, float]]) -> dict[str, dict[str, Value]]:
    """Return for each gauge its early and late value, and whether it grows.

    Early is the second quarter of the samples: caches and pools fill up in the first.
    """
    quarter = max(1, len(samples) // 4)
    found: dict[str, dict[str, Value]] = {}
    for gauge, allowance in ALLOWED.items():
        early = median(sample[gauge] for sample in samples[quarter : 2 * quarter] or samples)
        late = median(sample[gauge] for sample in samples[-quarter:])
        allowed = allowance.of(early)
        verdict = GROWS if late > allowed else STEADY
        found[gauge] = {"early": early, "late": late, "allowed": allowed, "verdict": verdict}
    return found
