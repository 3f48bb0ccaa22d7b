"""The runner: claims sessions by lease and runs one task for each, beside any other runner.

What a dead runner left is recovered whether there is room for an agent or not; then any runner
with room runs the prompts that wait in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from sessions.core import metrics
from sessions.core.conf import chat
from sessions.core.db import in_thread
from sessions.core.host import PROCESS
from sessions.eventlog.store import Lease
from sessions.eventlog.wake import HeadWatch
from sessions.eventlog.writer import Writer
from sessions.runner import leases, recovery, waiting_notice
from sessions.runner.live_session import LiveSession

logger = logging.getLogger(__name__)

_numbers = itertools.count(1)

# Sessions recovered at once: each has a thread that looks through all processes.
MAX_RECOVERIES = 4
# How long a session rests after a failure that nobody foresaw; twice as long after each further
# one, so that no loop of them floods the log.
REST_FIRST_S = 0.5
REST_MOST_S = 60.0


@dataclass(frozen=True, slots=True)
class _Rest:
    """A session's rest: its length, and the loop's time of its end."""

    seconds: float
    until: float


class Runner:
    """The agents' side of one process. `run` until cancelled; `stop` first to end gracefully."""

    def __init__(self, watch: HeadWatch) -> None:
        # A process may start its runner again: then another one holds the leases.
        self.id = f"{PROCESS}.{next(_numbers)}"
        self._watch = watch
        self._writer = Writer()
        self._live: dict[UUID, tuple[LiveSession, asyncio.Task[None]]] = {}
        self._rests: dict[UUID, _Rest] = {}
        self._recovering: dict[UUID, asyncio.Task[None]] = {}
        self._work = asyncio.Event()
        self._is_stopping = False
        # Whether the leases could not be renewed in time; nothing is claimed until they can.
        self._is_cut_off = False

    async def run(self) -> None:
        """Claim and run sessions until cancelled."""
        self._watch.subscribe_to_work(self._on_work)
        # Outside the group: sessions write their last words after the loops have ended.
        writing = asyncio.create_task(self._writer.run(), name="writer")
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._claim_forever(), name="claim")
                tasks.create_task(self._renew_forever(), name="renew")
        finally:
            await self._drop_all()
            writing.cancel()

    async def stop(self, grace_s: float | None = None) -> None:
        """End gracefully: turns have grace_s (default STOP_GRACE_S), then are interrupted."""
        self._is_stopping = True
        for live, _ in self._live.values():
            live.leave("server_stopped")
        await self._wait_for_sessions(chat.STOP_GRACE_S if grace_s is None else grace_s)
        for live, _ in list(self._live.values()):
            live.interrupt_for_leaving()
        await self._wait_for_sessions(4 * chat.INTERRUPT_TIMEOUT_S)

    async def _wait_for_sessions(self, timeout_s: float) -> None:
        tasks = [task for _, task in self._live.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=timeout_s)

    async def _drop_all(self) -> None:
        tasks = [*self._recovering.values(), *(task for _, task in self._live.values())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _on_work(self, session_id: UUID) -> None:
        if session_id not in self._live:
            self._work.set()

    async def _claim_forever(self) -> None:
        while True:
            self._work.clear()
            try:
                await self._claim_what_waits()
            except Exception:
                # The database is away, or one session is odd: the next round tries again.
                logger.exception("could not claim sessions")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(chat.TAIL_INTERVAL_S):
                    await self._work.wait()

    async def _claim_what_waits(self) -> None:
        if self._is_stopping or self._is_cut_off:
            return
        await self._recover_orphans()
        room = chat.MAX_AGENTS - len(self._live)
        if room <= 0:
            await self._make_room_or_tell()
            return
        for session_id in await in_thread(leases.waiting, room, but_not=self._resting()):
            # Looked at again: it may have failed since what waits was read.
            if session_id in self._live or session_id in self._resting():
                continue
            lease = await in_thread(leases.claim, session_id, self.id)
            if lease is not None:
                live = LiveSession(lease, watch=self._watch, writer=self._writer)
                task = asyncio.create_task(self._run_live(live), name=f"session-{session_id}")
                self._live[session_id] = (live, task)
                task.add_done_callback(partial(self._forget, self._live, session_id))

    async def _recover_orphans(self) -> None:
        for session_id in await in_thread(leases.orphaned, MAX_RECOVERIES):
            if len(self._recovering) >= MAX_RECOVERIES:
                return
            if session_id in self._live or session_id in self._recovering:
                continue
            lease = await in_thread(leases.claim, session_id, self.id)
            if lease is not None:
                task = asyncio.create_task(self._recover(lease), name=f"recover-{session_id}")
                self._recovering[session_id] = task
                task.add_done_callback(partial(self._forget, self._recovering, session_id))

    def _forget(
        self, held: dict[UUID, Any], session_id: UUID, _ended: asyncio.Task[None], /
    ) -> None:
        """Hold a session no more whose task has ended.

        A callback, because a task that is cancelled before its first step runs no `finally`: its
        session's lease would be renewed for good.
        """
        del held[session_id]
        self._work.set()

    async def _recover(self, lease: Lease) -> None:
        try:
            await recovery.take_over(lease)
            await in_thread(leases.release, lease)
        except Exception:
            # Its lease runs out, and then it is tried again.
            logger.exception(
                "a session was not recovered", extra={"session": str(lease.session_id)}
            )

    async def _make_room_or_tell(self) -> None:
        """Let the longest idle agent go when others wait for one; its session can resume.

        Where every agent is busy, those that wait are told.
        """
        idle = [live for live, _ in self._live.values() if live.idle_since is not None]
        if not idle:
            await in_thread(waiting_notice.tell_who_waits)
        elif await in_thread(leases.waiting, 1, but_not=self._resting()):
            longest = min(idle, key=lambda live: live.idle_since or 0.0)
            longest.leave("capacity")

    async def _run_live(self, live: LiveSession) -> None:
        facts = {"session": str(live.session_id)}
        logger.info("session claimed", extra=facts)
        try:
            with metrics.SESSIONS_HELD.track_inprogress():
                await live.run()
            self._rests.pop(live.session_id, None)
        except Exception:
            # One session's failure never ends the runner; it is recovered when it has rested.
            rest_s = self._let_rest(live.session_id)
            logger.exception("a live session failed", extra=facts | {"rest_s": rest_s})
        finally:
            logger.info("session left", extra=facts)

    def _let_rest(self, session_id: UUID) -> float:
        """Claim a session no more for a while; return for how long, in seconds."""
        before = self._rests.get(session_id)
        rest_s = REST_FIRST_S if before is None else min(2 * before.seconds, REST_MOST_S)
        until = asyncio.get_running_loop().time() + rest_s
        self._rests[session_id] = _Rest(rest_s, until)
        return rest_s

    def _resting(self) -> list[UUID]:
        """Return the sessions that are not to be claimed now; forget what is long over."""
        now = asyncio.get_running_loop().time()
        self._rests = {sid: r for sid, r in self._rests.items() if r.until > now - REST_MOST_S}
        return [session_id for session_id, rest in self._rests.items() if rest.until > now]

    async def _renew_forever(self) -> None:
        """Renew the leases; give the sessions up in time when that fails for too long.

        On another host nobody can end these agents, and their sessions will be resumed there.
        """
        loop = asyncio.get_running_loop()
        renewed_at = loop.time()
        while True:
            began_at = loop.time()
            retry_s = leases.RETRY * chat.LEASE_S
            give_up_at = renewed_at + leases.GIVE_UP * chat.LEASE_S
            try:
                # A connection that hangs is no better than one that is refused.
                async with asyncio.timeout_at(max(give_up_at, began_at + retry_s)):
                    await self._renew()
            except Exception:
                logger.exception("could not renew leases")
                if loop.time() + retry_s > give_up_at:
                    self._give_all_up()
                await asyncio.sleep(retry_s)
                continue
            renewed_at, self._is_cut_off = began_at, False
            await self._free_the_dead()
            self._work.set()
            await asyncio.sleep(leases.RENEW * chat.LEASE_S)

    async def _free_the_dead(self) -> None:
        try:
            await in_thread(leases.expire_dead_here)
        except Exception:
            logger.exception("could not look for dead runners")

    def _give_all_up(self) -> None:
        self._is_cut_off = True
        for live, _ in self._live.values():
            live.abandon()
        for task in self._recovering.values():
            task.cancel()

    async def _renew(self) -> None:
        ids = [*self._live, *self._recovering]
        if not ids:
            return
        held = await in_thread(leases.renew, self.id, ids)
        for session_id in set(ids) - held:
            if session_id in self._live:
                self._live[session_id][0].abandon()
