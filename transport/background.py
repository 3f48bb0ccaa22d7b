"""The loops beside the streams in one process: the agents' runner and periodic sync.

Each loop has a name and a stop, and one that breaks is logged and started again: it must not
take the streams with it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from sessions.core.reserves.memory import spare_memory
from sessions.trail.failures import failures
from transport.live import node
from transport.rows import closing, pool
from transport.sync import loop

if TYPE_CHECKING:
    from sessions.runner.runner import Runner

logger = logging.getLogger(__name__)

RESTART_S: Final = 1.0
FAILURES_S: Final = 30.0


class Background:
    """The loops of `manage.py serve`."""

    def __init__(self, *, agents: bool, sync: bool) -> None:
        self._agents = agents
        self._sync = sync
        self._runner: Runner | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start the loops on the running event loop."""
        node.current().start()
        self._keep("reap", self._reap_once)
        self._keep("failed log-ins", _store_failures)
        self._keep("spare memory", spare_memory.watch)
        if self._agents:
            self._keep("runner", self._run_agents)
        if self._sync:
            self._keep("periodic sync", partial(loop.run, position=node.current().position))

    async def stop(self) -> None:
        """Say goodbye to the streams first: their clients reconnect while the agents end."""
        here = node.current()
        await here.say_goodbye()
        if self._runner is not None:
            await self._runner.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await pool.run(failures.flush, all_of_it=True)
        await here.stop()

    def hurry(self) -> None:
        """Interrupt the agents at once: a stop waits for their turns no longer."""
        if self._runner is not None:
            self._runner.hurry()

    def _keep(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        running = asyncio.get_running_loop()
        self._tasks.append(running.create_task(_restarted(name, work), name=name))

    async def _run_agents(self) -> None:
        # The agents' libraries take long to import: a process without agents leaves them out.
        from sessions.runner.runner import Runner  # noqa: PLC0415

        self._runner = Runner(node.current().head_watch)
        await self._runner.run()

    async def _reap_once(self) -> None:
        """Close the connections that the last run of this server left open."""
        left = await pool.run(closing.reap)
        node.current().refresh_presence(left)


async def _store_failures() -> None:
    """Store the failed log-ins of each minute, also when no further one comes."""
    while True:
        await asyncio.sleep(FAILURES_S)
        await pool.run(failures.flush)


async def _restarted(name: str, work: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await work()
        except Exception:
            logger.exception("a background loop broke and starts again", extra={"loop": name})
        else:
            return
        await asyncio.sleep(RESTART_S)
