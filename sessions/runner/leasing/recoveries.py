"""The recoveries of one runner: sessions that a dead runner left live are closed, a few at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from functools import partial
from typing import Final
from uuid import UUID

from sessions.core.db import in_thread
from sessions.eventlog.lease import Lease
from sessions.runner.leasing import leases, recovery

logger = logging.getLogger(__name__)

# Each of them has a thread that looks through all processes.
MAX_AT_ONCE: Final = 4


class Recoveries:
    """Claims orphans and recovers them.

    cause: returns the sentence for the turn that a session's last runner left open. ended: is
    called after each recovery.
    """

    def __init__(
        self, runner_id: str, *, cause: Callable[[Lease], str], ended: Callable[[], None]
    ) -> None:
        self._runner_id = runner_id
        self._cause = cause
        self._ended = ended
        self.tasks: dict[UUID, asyncio.Task[None]] = {}

    async def start(self, *, but_not: Collection[UUID]) -> None:
        """Begin to recover the orphans that there is room for; but_not: sessions to pass over."""
        for session_id in await in_thread(leases.orphaned, MAX_AT_ONCE):
            if len(self.tasks) >= MAX_AT_ONCE:
                return
            if session_id in but_not or session_id in self.tasks:
                continue
            lease = await in_thread(leases.claim, session_id, self._runner_id)
            if lease is not None:
                task = asyncio.create_task(self._recover(lease), name=f"recover-{session_id}")
                self.tasks[session_id] = task
                # A callback: a task that is cancelled before its first step runs no `finally`.
                task.add_done_callback(partial(self._forget, session_id))

    def cancel(self) -> None:
        """End every recovery; each is tried again when its lease has run out."""
        for task in self.tasks.values():
            task.cancel()

    def _forget(self, session_id: UUID, _ended: asyncio.Task[None], /) -> None:
        del self.tasks[session_id]
        self._ended()

    async def _recover(self, lease: Lease) -> None:
        try:
            await recovery.take_over(lease, cause=self._cause(lease))
            await in_thread(leases.release, lease)
        except Exception:
            # Its lease runs out, and then it is tried again.
            logger.exception(
                "a session was not recovered", extra={"session": str(lease.session_id)}
            )
