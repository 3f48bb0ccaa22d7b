"""The curves: one database grows from size to size, and the same reads are measured at each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lab.benchmarks.contenders import environment
from lab.benchmarks.results.record import Fact, Run
from lab.benchmarks.scenarios.appends import databases
from lab.benchmarks.sizes import Sizes
from lab.rig.folders import temporary_folder
from lab.rig.json_lines import Peer

Json = dict[str, Any]

# Ten million rows on a busy machine.
GROWTH_S: Final = 3600.0
# Events of a turn beside its deltas, and the deltas of a short answer.
FRAME: Final = 7
SHORT: Final = 3


@dataclass(frozen=True, slots=True)
class Step:
    """One size of a curve, and the rows that make it."""

    size: int
    sessions: int
    events: int


def of_log(sizes: Sizes) -> list[Step]:
    """Return the steps of one chat whose log grows, answers of a thousand events in it."""
    return [Step(length, 1, length) for length in sizes.log_lengths]


def of_sessions(sizes: Sizes) -> list[Step]:
    """Return the steps of a list of chats that grows."""
    return [Step(count, count, 0) for count in sizes.session_counts]


def of_messages(sizes: Sizes) -> list[Step]:
    """Return the steps of one chat whose messages grow: a prompt and a short answer each."""
    return [Step(count, 1, count // 2 * (FRAME + SHORT)) for count in sizes.message_counts]


@contextmanager
def growing(url: str = "") -> Iterator[tuple[Peer, Path, dict[str, str]]]:
    """Give the process that owns a database, its folder and its settings."""
    with temporary_folder() as folder:
        env = environment(folder) | ({"DATABASE_URL": url} if url else {})
        process = Peer("lab.benchmarks.processes.growth_load", environment=env, log=folder / "log")
        try:
            yield process, folder, env
        finally:
            process.close()


def grow(process: Peer, steps: list[Step], *, deltas: int) -> Iterator[Step]:
    """Bring the database to one size after the other; yield each when it is there."""
    for step in steps:
        process.call(
            "grow", within_s=GROWTH_S, sessions=step.sessions, events=step.events, deltas=deltas
        )
        yield step


def measure(steps: list[Step], *, deltas: int, sizes: Sizes) -> Iterator[Run | Fact]:
    """Grow a database of each kind, and measure every read at each size: one run for each."""
    with databases() as found:
        for name, url in (("SQLite", ""), *(("PostgreSQL", one.url) for one in found if one.url)):
            few = [s for s in steps if not url or s.events <= sizes.postgres_events]
            with growing(url) as (process, _folder, _environment):
                for step in grow(process, few, deltas=deltas):
                    took = process.call("measure", within_s=GROWTH_S, count=sizes.reads)
                    for read, ms in took.items():
                        yield Run(read, f"Backstay, {name}", 1, {"size": step.size, "ms": ms})
                plans = process.call("plans", within_s=GROWTH_S)
            yield Fact(
                f"Query plans of {name}",
                "\n\n".join(f"-- {read}\n{plan}" for read, plan in plans.items()),
            )
