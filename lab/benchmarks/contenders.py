"""The contenders: each starts as a server of its own, on a fresh database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lab.rig.folders import temporary_folder
from lab.rig.json_lines import Peer
from lab.rig.ports import Port
from lab.rig.processes import clean_environment

Json = dict[str, Any]

START_TIMEOUT_S = 60.0
# One user holds every stream of a benchmark. 0 would switch a limit off, with the work of counting.
WIDE: Final = "100000000"
WIDE_LIMITS: Final = {
    "CHAT_REQUESTS_PER_MINUTE": WIDE,
    "CHAT_REQUESTS_AT_ONCE": WIDE,
    "CHAT_STREAMS_PER_MINUTE": WIDE,
    "CHAT_STRANGER_REQUESTS_PER_MINUTE": WIDE,
    "CHAT_MAX_CONNECTIONS_PER_ADDRESS": WIDE,
    "CHAT_MAX_CONNECTIONS_PER_USER": WIDE,
    "CHAT_SENDS_PER_MINUTE": WIDE,
}


@dataclass(frozen=True, slots=True)
class Contender:
    """A server that can be measured. args: further arguments of its module; settings: of ours."""

    name: str
    module: str
    args: tuple[str, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()


OURS = Contender("Backstay", "lab.benchmarks.processes.ours")
# Its gap and bytes of a replay without a limit: the clients get every event, as the peers' do.
REPLAYING = Contender(
    "Backstay, all replayed",
    "lab.benchmarks.processes.ours",
    settings=(("CHAT_MAX_REPLAY_GAP", "1000000"), ("CHAT_REPLAY_BYTES", "1000000000")),
)
ON_UVLOOP = Contender("Backstay on uvloop", "lab.benchmarks.processes.ours", ("--loop", "uvloop"))
PLAIN = Contender("starlette, sse-starlette", "lab.benchmarks.processes.plain")
STOCK = Contender("django-eventstream", "lab.benchmarks.processes.stock")
TUNED = Contender("django-eventstream, WAL", "lab.benchmarks.processes.stock", ("--tuned",))


@dataclass(frozen=True, slots=True)
class Server:
    """A running contender and how to subscribe to it."""

    process: Peer
    port: int
    folder: Path
    headers: dict[str, str]
    paths: list[str]
    behind: list[str]
    bases: list[int]
    ready: str
    caught_up: str
    # Requests by kind, for lab.benchmarks.processes.asker.
    requests: dict[str, list[Json]]

    def spec(self, streams: list[tuple[int, str]], *, deadline_s: float, at_once: int = 20) -> Json:
        """Return the orders of lab.benchmarks.processes.client for these streams."""
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
    port = Port()
    args = ["--port", port.number, "--sessions", sessions, "--history", history, *contender.args]
    with temporary_folder() as folder:
        process = Peer(
            contender.module,
            *map(str, args),
            environment=environment(folder) | WIDE_LIMITS | dict(contender.settings),
            log=folder / "server.log",
        )
        try:
            told = process.hear(within_s=START_TIMEOUT_S)
            yield Server(process=process, port=port.number, folder=folder, **told)
        finally:
            process.close()
            port.release()


@contextmanager
def subscribing(spec: Json) -> Iterator[tuple[Peer, Json]]:
    """Run the client; give it and its report of the openings."""
    with temporary_folder() as folder:
        log = folder / "client.log"
        client = Peer("lab.benchmarks.processes.client", environment=environment(folder), log=log)
        try:
            client.tell(spec)
            yield client, client.hear(within_s=spec["deadline_s"] + 30)
        finally:
            client.close()


def environment(folder: Path) -> dict[str, str]:
    """Return the variables of a process: the caller's without its own chat, and a data folder."""
    ours = {"DATA_DIR": str(folder), "SECRET_KEY": "benchmark" * 6, "LOG_LEVEL": "WARNING"}
    return clean_environment() | ours
