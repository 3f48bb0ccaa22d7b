"""Who is measured: each contender starts as a server of its own, on a fresh database."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.benchmarks.control import Process

Json = dict[str, Any]

START_TIMEOUT_S = 60.0
# One user holds every stream of a benchmark.
NO_LIMITS = {"CHAT_MAX_CONNECTIONS_PER_USER": "100000"}


@dataclass(frozen=True, slots=True)
class Contender:
    """A server that can be measured. args: what its module is told besides."""

    name: str
    module: str
    args: tuple[str, ...] = ()


OURS = Contender("Backstay", "lab.benchmarks.ours")
STOCK = Contender("django-eventstream", "lab.benchmarks.stock")
TUNED = Contender("django-eventstream, WAL", "lab.benchmarks.stock", ("--tuned",))


@dataclass(frozen=True, slots=True)
class Server:
    """A running contender and how to subscribe to it."""

    process: Process
    port: int
    folder: Path
    headers: dict[str, str]
    paths: list[str]
    behind: list[str]
    bases: list[int]
    ready: str
    caught_up: str

    def spec(self, streams: list[tuple[int, str]], *, deadline_s: float, at_once: int = 20) -> Json:
        """Return what lab.benchmarks.client is told to open these streams."""
        return {
            "port": self.port,
            "headers": self.headers,
            "streams": streams,
            "ready": self.ready,
            "at_once": at_once,
            "deadline_s": deadline_s,
        }


@contextmanager
def running(contender: Contender, *, sessions: int, history: int = 0) -> Iterator[Server]:
    """Run a contender for as long as the block runs."""
    with folder_of_its_own() as folder:
        port = free_port()
        args = ["--port", port, "--sessions", sessions, "--history", history, *contender.args]
        process = Process(
            contender.module, *map(str, args), folder=folder, env=environment(folder) | NO_LIMITS
        )
        try:
            told = process.hear(within_s=START_TIMEOUT_S)
            yield Server(process=process, port=port, folder=folder, **told)
        finally:
            process.stop()


@contextmanager
def subscribing(spec: Json) -> Iterator[tuple[Process, Json]]:
    """Run the client; give it and what it tells of the openings."""
    with folder_of_its_own() as folder:
        client = Process("lab.benchmarks.client", folder=folder, env=environment(folder))
        try:
            client.tell(spec)
            yield client, client.hear(within_s=spec["deadline_s"] + 30)
        finally:
            client.stop()


@contextmanager
def folder_of_its_own() -> Iterator[Path]:
    """Give a folder that goes with the block."""
    folder = Path(tempfile.mkdtemp(prefix="backstay-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def environment(folder: Path) -> dict[str, str]:
    """Return the variables of a process: the caller's without its own chat, and a data folder."""
    chat = {"DATABASE_URL", "REDIS_URL", "DEBUG", "HOST", "PORT", "DJANGO_SETTINGS_MODULE"}
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("CHAT_") and name not in chat
    }
    return kept | {"DATA_DIR": str(folder), "SECRET_KEY": "benchmark" * 6, "LOG_LEVEL": "WARNING"}


def free_port() -> int:
    """Return a port of loopback that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
