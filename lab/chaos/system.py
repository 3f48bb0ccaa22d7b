"""The servers of one run: everything in one process, or many processes on PostgreSQL and Redis."""

from __future__ import annotations

import asyncio
import signal
from abc import ABC
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Final
from urllib.parse import urlsplit

from lab.chaos import repository
from lab.chaos.database import Database
from lab.chaos.faults import Kind
from lab.rig.ports import Port
from lab.rig.processes import Process, clean_environment, end_all
from lab.rig.programs.services import Postgres, Redis
from lab.rig.servers import manage

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
    "CHAT_REQUESTS_PER_MINUTE": "0",
    "CHAT_REQUESTS_AT_ONCE": "0",
    "CHAT_STREAMS_PER_MINUTE": "0",
    "CHAT_STRANGER_REQUESTS_PER_MINUTE": "0",
    "CHAT_MAX_CONNECTIONS_PER_ADDRESS": "0",
    "CHAT_MAX_AGENTS": "3",
    "LOG_LEVEL": "INFO",
}


class System(ABC):
    """Processes by their role. Everything that runs was started by `up` and is ended by `down`."""

    # The faults that make sense here.
    kinds: frozenset[Kind]
    name: str

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        """settings: variables beside LIMITS."""
        self.folder = folder
        self.repository = folder / "projects" / "shop"
        self.environment = {
            **clean_environment(),
            "DJANGO_SETTINGS_MODULE": "chatproject.settings",
            "PYTHONWARNINGS": "ignore",
            "DATA_DIR": str(folder / "data"),
            "HOST": "127.0.0.1",
            "CHAT_WORKSPACE_ROOTS": str(self.repository.parent),
            **LIMITS,
            **(settings or {}),
        }
        self.webs: list[Process] = []
        self.runners: list[Process] = []
        self.syncs: list[Process] = []
        self.services: list[Process] = []
        self.database = self._open_database()
        self._ports: dict[Process, Port] = {}

    @property
    def servers(self) -> list[Process]:
        """The product's own processes, each once."""
        return list(dict.fromkeys([*self.webs, *self.runners, *self.syncs]))

    async def up(self) -> None:
        """Start everything and wait until it answers."""
        await asyncio.to_thread(repository.make, self.repository)
        await _start_all(self.services)
        await self.database.open()
        await _start_all(self.servers)

    async def down(self) -> None:
        """End everything."""
        await self.database.close()
        await end_all(self.servers, signal.SIGTERM)
        await end_all(self.services, signal.SIGINT)
        for port in self._ports.values():
            port.release()

    async def heal(self) -> None:
        """Start and thaw whatever does not run; wait until it answers."""
        for process in [*self.services, *self.servers]:
            process.thaw()
        await _start_all(self.services)
        await _start_all(self.servers)

    def ports(self) -> list[int]:
        """Return where a line may lead at this moment: a frozen server still listens."""
        return [self._ports[web].number for web in self.webs if web.was_started]

    def own_ports(self) -> list[int]:
        """Return the ports of the servers and of their services."""
        urls = (self.environment.get(name) for name in ("DATABASE_URL", "REDIS_URL"))
        services = [port for url in urls if url and (port := urlsplit(url).port)]
        return [*(port.number for port in self._ports.values()), *services]

    def look(self) -> None:
        """Note deaths and memory of every process."""
        for process in [*self.services, *self.servers]:
            process.look()

    def _open_database(self) -> Database:
        return Database(self.environment, log=self.folder / "backdoor.log")

    def _manage(self, name: str, *arguments: str) -> Process:
        log = self.folder / f"{name.replace(' ', '-')}.log"
        return manage(name, *arguments, environment=self.environment, log=log)

    def _web(self, name: str, *arguments: str) -> Process:
        port = Port()
        log = self.folder / f"{name.replace(' ', '-')}.log"
        web = manage(name, "serve", *arguments, environment=self.environment, log=log, port=port)
        self._ports[web] = port
        return web


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

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(folder, settings)
        server = self._web("serve")
        self.webs = self.runners = self.syncs = [server]


class Distributed(System):
    """Two web processes, two runners and two syncs on PostgreSQL and Redis."""

    name = "distributed"
    kinds = frozenset(Kind)

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(folder, settings)
        self._database_server = Postgres(folder / "postgres", log=folder / "database.log")
        self._redis = Redis(folder / "redis")
        self.services = [self._database_server.process, self._redis.process]
        self.environment |= {
            "DATABASE_URL": self._database_server.url,
            "REDIS_URL": self._redis.url,
        }
        self.database = self._open_database()
        self.webs = [self._web(f"web {n}", "--no-agents", "--no-sync") for n in (1, 2)]
        self.runners = [self._manage(f"runner {n}", "run_agents") for n in (1, 2)]
        self.syncs = [self._manage(f"sync {n}", "periodic_sync", "--interval", "1") for n in (1, 2)]

    async def down(self) -> None:
        """End everything."""
        await super().down()
        self._database_server.close()
        self._redis.close()


async def _start_all(processes: Sequence[Process]) -> None:
    """Start every process that does not run, and return when all serve."""
    for process in processes:
        process.start()
    waiting = (asyncio.to_thread(process.wait_until_serving) for process in processes)
    await asyncio.gather(*waiting)


def pick(processes: Sequence[Process], target: int) -> Process:
    """Return the process that a fault means."""
    return processes[target % len(processes)]


def pick_agent(runners: Sequence[Process], random: Random) -> int | None:
    """Return the pid of some agent that runs now, None without any."""
    agents = [child.pid for runner in runners for child in runner.children()]
    return random.choice(agents) if agents else None
