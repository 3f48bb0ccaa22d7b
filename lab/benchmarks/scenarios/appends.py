"""Appends without a server: SQLite with synchronous=NORMAL and FULL, PostgreSQL, a plain table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lab.benchmarks.contenders import WIDE, WIDE_LIMITS, environment
from lab.benchmarks.results.record import Value
from lab.benchmarks.sizes import Sizes
from lab.rig.folders import temporary_folder
from lab.rig.json_lines import Peer
from lab.rig.programs import services

SYNCHRONOUS = ("NORMAL", "FULL")
TIMEOUT_S = 300.0
# A measurement sends more than people do, and no agent takes its prompts.
WIDE_QUEUES = {"CHAT_MAX_QUEUED_PROMPTS": WIDE}


@dataclass(frozen=True, slots=True)
class Database:
    """One database to append to; module: the program that appends."""

    name: str
    url: str = ""
    synchronous: str = ""
    module: str = "lab.benchmarks.processes.append_load"


PLAIN_TABLE = Database(
    "one table, sqlite3, WAL, NORMAL", module="lab.benchmarks.processes.plain_appends"
)


@contextmanager
def databases() -> Iterator[list[Database]]:
    """Give each database that this machine has, for as long as the block runs."""
    sqlite = [Database(f"Backstay, SQLite {s}", synchronous=s) for s in SYNCHRONOUS]
    sqlite.append(PLAIN_TABLE)
    if services.find_postgres() is None:
        yield sqlite
        return
    with services.postgres(is_durable=True) as server:
        yield [*sqlite, Database("Backstay, PostgreSQL, fsync on", url=server.create_database())]


def measure(database: Database, sizes: Sizes) -> dict[str, Value]:
    """Run the loads over one database, in a process of its own."""
    with temporary_folder() as folder:
        env = environment(folder) | WIDE_LIMITS | WIDE_QUEUES
        if database.url:
            env["DATABASE_URL"] = database.url
        args = ["--singles", sizes.singles, "--grouped", sizes.grouped]
        args += ["--receipts", sizes.receipts, "--synchronous", database.synchronous]
        log = folder / "load.log"
        process = Peer(database.module, *map(str, args), environment=env, log=log)
        try:
            measured: dict[str, Value] = process.hear(within_s=TIMEOUT_S)
            return measured
        finally:
            process.close()
