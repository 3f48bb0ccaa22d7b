"""The servers of one run: everything in one process, or many processes on PostgreSQL and Redis."""

from __future__ import annotations

import asyncio
import signal
import sys
from abc import ABC
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final

import httpx

from lab.chaos import services
from lab.chaos.database import Database
from lab.chaos.faults import Kind
from lab.chaos.processes import Process, clean_environment, end_all, free_port

START_S: Final = 60.0
# Small limits, so that a minute meets every one of them.
LIMITS: Final = {
    "CHAT_MAX_REPLAY_GAP": "60",
    "CHAT_RING_EVENTS": "300",
    "CHAT_SNAPSHOT_MESSAGES": "8",
    "CHAT_SYNC_INTERVAL_S": "1",
    "CHAT_SYNC_BATCH_LIMIT": "20",
    "CHAT_TAIL_INTERVAL_S": "0.25",
    "CHAT_HEARTBEAT_INTERVAL_S": "1",
    "CHAT_LEASE_S": "4",
    "CHAT_INTERRUPT_TIMEOUT_S": "1",
    "CHAT_TURN_TIMEOUT_S": "12",
    "CHAT_PERMISSION_TIMEOUT_S": "4",
    "CHAT_SUSPEND_GRACE_S": "2",
    "CHAT_IDLE_TTL_S": "3",
    "CHAT_STOP_GRACE_S": "1",
    "CHAT_SENDS_PER_MINUTE": "100000",
    "CHAT_MAX_CONNECTIONS_PER_USER": "500",
    "CHAT_MAX_AGENTS": "3",
    "LOG_LEVEL": "INFO",
}


class System(ABC):
    """Processes by their role. Everything that runs was started by `up` and is ended by `down`."""

    # The faults that make sense here.
    kinds: frozenset[Kind]
    name: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **clean_environment(),
            "DJANGO_SETTINGS_MODULE": "chatproject.settings",
            "PYTHONWARNINGS": "ignore",
            "DATA_DIR": str(folder / "data"),
            "HOST": "127.0.0.1",
            **LIMITS,
        }
        self.webs: list[Process] = []
        self.runners: list[Process] = []
        self.syncs: list[Process] = []
        self.services: list[Process] = []
        self.database = Database(self.environment)

    @property
    def servers(self) -> list[Process]:
        """The product's own processes, each once."""
        return list(dict.fromkeys([*self.webs, *self.runners, *self.syncs]))

    async def up(self) -> None:
        """Start everything and wait until it answers."""
        for service in self.services:
            service.start()
        await self.database.open()
        for server in self.servers:
            server.start()
        await asyncio.gather(*(wait_until_up(web.port) for web in self.webs))

    async def down(self) -> None:
        """End everything."""
        await self.database.close()
        await end_all(self.servers, signal.SIGTERM)
        await end_all(self.services, signal.SIGINT)

    async def heal(self) -> None:
        """Start and thaw whatever does not run; wait until it answers."""
        for process in [*self.services, *self.servers]:
            process.thaw()
            process.start()
        await asyncio.gather(*(wait_until_up(web.port) for web in self.webs))

    def ports(self) -> list[int]:
        """Return where a line may lead at this moment: a frozen server still listens."""
        return [web.port for web in self.webs if web.was_started]

    def look(self) -> None:
        """Note deaths and memory of every process."""
        for process in [*self.services, *self.servers]:
            process.look()

    def _manage(self, name: str, *arguments: str, port: int = 0) -> Process:
        return Process(
            name,
            [sys.executable, "manage.py", *arguments],
            environment=self.environment | ({"PORT": str(port)} if port else {}),
            log=self.folder / f"{name.replace(' ', '-')}.log",
            port=port,
        )


class Embedded(System):
    """`manage.py serve`: pages, agents and sync in one process on SQLite."""

    name = "embedded"
    kinds = frozenset(Kind) - {
        Kind.KILL_RUNNER,
        Kind.KILL_SYNC,
        Kind.FREEZE_RUNNER,
        Kind.RESTART_DATABASE,
        Kind.RESTART_REDIS,
    }

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        server = self._manage("serve", "serve", port=free_port())
        self.webs = self.runners = self.syncs = [server]


class Distributed(System):
    """Two web processes, two runners and two syncs on PostgreSQL and Redis."""

    name = "distributed"
    kinds = frozenset(Kind)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        database, database_url = services.postgres(folder / "postgres")
        redis, redis_url = services.redis(folder / "redis")
        self.services = [database, redis]
        self.environment |= {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
        self.database = Database(self.environment)
        web = ("serve", "--no-agents", "--no-sync")
        self.webs = [self._manage(f"web {n}", *web, port=free_port()) for n in (1, 2)]
        self.runners = [self._manage(f"runner {n}", "run_agents") for n in (1, 2)]
        self.syncs = [self._manage(f"sync {n}", "periodic_sync", "--interval", "1") for n in (1, 2)]


async def wait_until_up(port: int) -> None:
    """Return when a web process answers. Raises TimeoutError."""
    async with asyncio.timeout(START_S), httpx.AsyncClient(timeout=2) as http:
        while True:
            try:
                answer = await http.get(f"http://127.0.0.1:{port}/healthz")
            except httpx.HTTPError:
                pass
            else:
                if answer.status_code == httpx.codes.OK:
                    return
            await asyncio.sleep(0.1)


def pick(processes: Sequence[Process], target: int) -> Process:
    """Return the process that a fault means."""
    return processes[target % len(processes)]


def pick_agent(runners: Sequence[Process], random: Random) -> int | None:
    """Return the pid of some agent that runs now, None without any."""
    agents = [child.pid for runner in runners for child in runner.children()]
    return random.choice(agents) if agents else None
