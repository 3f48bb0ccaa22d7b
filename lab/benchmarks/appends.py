"""(d) Appends to the log: SQLite with synchronous=NORMAL and FULL, and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lab.benchmarks.contenders import environment
from lab.benchmarks.scenarios import Sizes
from lab.rig import services
from lab.rig.folders import temporary_folder
from lab.rig.json_lines import Peer

SYNCHRONOUS = ("NORMAL", "FULL")
TIMEOUT_S = 300.0
# The limits of people are not those of a measurement.
NO_LIMITS = {"CHAT_SENDS_PER_MINUTE": "1000000", "CHAT_MAX_QUEUED_PROMPTS": "1000000"}


@dataclass(frozen=True, slots=True)
class Database:
    """One database to append to."""

    name: str
    url: str = ""
    synchronous: str = ""


@dataclass(frozen=True, slots=True)
class Appends:
    """One run over one database."""

    database: str
    singles_per_s: float
    grouped_per_s: float
    turn_p50_ms: float
    turn_p99_ms: float
    receipts_per_s: float
    receipt_p50_ms: float
    receipt_p99_ms: float


@contextmanager
def databases() -> Iterator[list[Database]]:
    """Give each database that this machine has, for as long as the block runs."""
    sqlite = [Database(f"SQLite, synchronous={s}", synchronous=s) for s in SYNCHRONOUS]
    if services.find_postgres() is None:
        yield sqlite
        return
    with services.postgres(is_durable=True) as server:
        yield [*sqlite, Database("PostgreSQL, fsync on", url=server.create_database())]


def measure(database: Database, sizes: Sizes) -> Appends:
    """Run the loads over one database, in a process of its own."""
    with temporary_folder() as folder:
        env = environment(folder) | NO_LIMITS
        if database.url:
            env["DATABASE_URL"] = database.url
        args = ["--singles", sizes.singles, "--grouped", sizes.grouped]
        args += ["--receipts", sizes.receipts, "--synchronous", database.synchronous]
        log = folder / "load.log"
        process = Peer("lab.benchmarks.append_load", *map(str, args), environment=env, log=log)
        try:
            return Appends(database=database.name, **process.hear(within_s=TIMEOUT_S))
        finally:
            process.close()
