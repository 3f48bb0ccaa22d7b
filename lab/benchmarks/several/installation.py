"""An installation on loopback: PostgreSQL, perhaps Redis, web processes, and a publisher.

The publisher stands where the runner stands: a process of its own, with a lease on each session,
whose wakes reach the web processes through Redis, or through their look at the log.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from lab.benchmarks.contenders import START_TIMEOUT_S, WIDE_LIMITS, environment
from lab.rig.backdoor import Backdoor
from lab.rig.folders import temporary_folder
from lab.rig.json_lines import Peer
from lab.rig.ports import Port
from lab.rig.processes import Process
from lab.rig.programs import services
from lab.rig.servers import manage

Json = dict[str, Any]

WEB = ("serve", "--no-agents", "--no-sync")


@dataclass(frozen=True, slots=True)
class Web:
    """One web process and its port."""

    process: Process
    port: int

    def cpu_s(self) -> float:
        """Return the CPU seconds that it has used so far."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)


@dataclass(frozen=True, slots=True)
class Installation:
    """The processes of one installation, all running."""

    publisher: Peer
    webs: list[Web]
    redis: services.Redis | None
    environment: dict[str, str]
    folder: Path
    told: Json
    is_warm: bool

    def spec(self, streams: Sequence[tuple[int, str]], webs: Sequence[Web], **more: Any) -> Json:
        """Return the client's orders: the streams, spread over some web processes."""
        return {
            "port": webs[0].port,
            "ports": [web.port for web in webs],
            "headers": self.told["headers"],
            "streams": streams,
            "ready": self.told["ready"],
            **more,
        }

    @contextmanager
    def beside(self, name: str, *arguments: str) -> Iterator[None]:
        """Run another process of the installation for as long as the block runs."""
        process = manage(
            name,
            *arguments,
            environment=self.environment,
            log=self.folder / f"{name}.log",
            is_warm=self.is_warm,
        )
        with _running(process):
            yield

    @contextmanager
    def backdoor(self) -> Iterator[Backdoor]:
        """Give the way to the database past the servers."""
        door = Backdoor(self.environment, log=self.folder / "backdoor.log")
        try:
            yield door
        finally:
            door.close()


@contextmanager
def installed(
    *, webs: int, has_redis: bool, sessions: int, is_warm: bool = False
) -> Iterator[Installation]:
    """Run an installation for as long as the block runs. Commits wait for the disk.

    is_warm: its processes start sooner, as those of tests do.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        database = stack.enter_context(services.postgres(is_durable=True))
        redis = services.Redis(folder / "redis") if has_redis else None
        if redis is not None:
            stack.enter_context(services.running(redis))
        variables = (
            environment(folder)
            | WIDE_LIMITS
            | {
                "DJANGO_SETTINGS_MODULE": "chatproject.settings",
                "HOST": "127.0.0.1",
                "DATABASE_URL": database.create_database(),
                "REDIS_URL": redis.url if redis else "",
            }
        )
        publisher = Peer(
            "lab.benchmarks.processes.publisher",
            *("--sessions", str(sessions)),
            environment=variables,
            log=folder / "publisher.log",
        )
        stack.callback(publisher.close)
        told = publisher.hear(within_s=START_TIMEOUT_S)
        started = [
            _start(stack, f"web-{number}", variables, folder, is_warm=is_warm)
            for number in range(webs)
        ]
        for web in started:
            web.process.wait_until_serving()
        yield Installation(publisher, started, redis, variables, folder, told, is_warm)


def _start(
    stack: ExitStack, name: str, variables: dict[str, str], folder: Path, *, is_warm: bool
) -> Web:
    port = Port()
    stack.callback(port.release)
    process = manage(
        name,
        *WEB,
        environment=variables,
        log=folder / f"{name}.log",
        port=port,
        is_warm=is_warm,
    )
    stack.callback(process.end, signal.SIGTERM)
    process.start()
    return Web(process, port.number)


@contextmanager
def _running(process: Process) -> Iterator[None]:
    try:
        process.start()
        process.wait_until_serving()
        yield
    finally:
        process.end(signal.SIGTERM)
