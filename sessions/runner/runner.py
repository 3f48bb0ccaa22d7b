"""The runner: claims sessions by lease and runs one task for each, beside any other runner.

A session that a dead runner left is recovered even where there is no room for an agent; then any
runner with room runs the prompts that wait in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from sessions.control.back import restores
from sessions.control.direct import stoppers
from sessions.control.worktrees import ends
from sessions.core import metrics
from sessions.core.conf import chat
from sessions.core.db import in_thread
from sessions.core.host import process_name
from sessions.core.tasks import TaskSet
from sessions.eventlog.lease import Lease
from sessions.eventlog.wake import HeadWatch
from sessions.eventlog.writer import Writer
from sessions.runner.leasing import leases, recovery, waiting_notice
from sessions.runner.leasing.fairness import Waiting, who_yields
from sessions.runner.leasing.recoveries import Recoveries
from sessions.runner.leasing.renewal import Renewal
from sessions.runner.live_session import LiveSession
from sessions.text.process import renderer

logger = logging.getLogger(__name__)

Task = asyncio.Task[None]

_numbers = itertools.count(1)

# The rest of a session after an unforeseen failure; twice as long after each further one, so that
# no loop of them floods the log.
REST_FIRST_S = 0.5
REST_MOST_S = 60.0


@dataclass(frozen=True, slots=True)
class _Held:
    """A live session of this runner, its task and its owner."""

    live: LiveSession
    task: Task
    owner_id: int


@dataclass(frozen=True, slots=True)
class _Rest:
    """A session's rest: its length, and the loop's time of its end."""

    seconds: float
    until: float


class Runner:
    """The agents' side of one process. `run` until cancelled; `stop` first to end gracefully."""

    def __init__(self, watch: HeadWatch) -> None:
        # A process may start its runner again: then another one holds the leases.
        self.id = f"{process_name()}.{next(_numbers)}"
        self._watch = watch
        self._writer = Writer()
        self._live: dict[UUID, _Held] = {}
        # The loop's time of an owner's last claim.
        self._served: dict[int, float] = {}
        # The sentences for turns that this runner left open, by session.
        self._causes: dict[UUID, str] = {}
        self._closing = TaskSet()
        self._rests: dict[UUID, _Rest] = {}
        self._work = asyncio.Event()
        self._is_stopping = False
        self._is_urged = asyncio.Event()
        self._recoveries = Recoveries(self.id, cause=self._cause, ended=self._work.set)
        self._renewal = Renewal(
            self.id,
            held=lambda: [*self._live, *self._recoveries.tasks],
            lost=self._abandon,
            cut_off=self._give_all_up,
            renewed=self._work.set,
        )

    async def run(self) -> None:
        """Claim and run sessions until cancelled."""
        self._watch.subscribe_to_work(self._on_work)
        stoppers.add(self)
        await asyncio.to_thread(renderer.prepare)
        # Outside the group: sessions write their last words after the loops have ended.
        writing = asyncio.create_task(self._writer.run(), name="writer")
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._claim_forever(), name="claim")
                tasks.create_task(self._renewal.run(), name="renew")
                self._closing.start(_settle_folders(), name="folders")
        finally:
            stoppers.discard(self)
            await self._closing.end()
            await self._drop_all()
            writing.cancel()

    async def stop(self, grace_s: float | None = None) -> None:
        """End gracefully: turns have grace_s (default STOP_GRACE_S), then are interrupted."""
        self._is_stopping = True
        for held in self._live.values():
            held.live.leave("server_stopped")
        grace_s = chat.STOP_GRACE_S if grace_s is None else grace_s
        await _ended(self._session_tasks(), within_s=grace_s, unless=self._is_urged)
        for held in list(self._live.values()):
            held.live.interrupt_for_leaving()
        interrupt_s = 4 * chat.INTERRUPT_TIMEOUT_S
        await _ended(self._session_tasks(), within_s=interrupt_s, unless=asyncio.Event())

    def hurry(self) -> None:
        """Interrupt the turns at once when this runner stops."""
        self._is_urged.set()

    async def stop_now(self, session_id: UUID, *, turn_id: str | None, end_agent: bool) -> bool:
        """Stop a session past the log: see sessions.control.direct."""
        return await self._live[session_id].live.stop_now(turn_id=turn_id, end_agent=end_agent)

    async def close_now(self, session_id: UUID) -> None:
        """Close a session past the log: see sessions.control.direct."""
        closing = self._live[session_id].live.close_now()
        self._closing.start(closing, name=f"close-{session_id}")

    def _session_tasks(self) -> list[Task]:
        return [held.task for held in self._live.values()]

    async def _drop_all(self) -> None:
        tasks = [*self._recoveries.tasks.values(), *(held.task for held in self._live.values())]
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
        if self._is_stopping or self._renewal.is_cut_off:
            return
        await self._recoveries.start(but_not=self._live)
        room = chat.MAX_AGENTS - len(self._live)
        if room <= 0:
            await self._make_room_or_tell()
            return
        for waiting in await self._next_in_turn(room):
            # Looked at again: it may have failed since the waiting ones were read.
            if waiting.session_id in self._live or waiting.session_id in self._resting():
                continue
            lease = await in_thread(leases.claim, waiting.session_id, self.id)
            if lease is not None:
                self._hold(lease, waiting.owner_id)

    async def _next_in_turn(self, limit: int) -> list[Waiting]:
        return await in_thread(
            leases.waiting, limit, but_not=self._resting(), served=dict(self._served)
        )

    def _hold(self, lease: Lease, owner_id: int) -> None:
        session_id = lease.session_id
        live = LiveSession(lease, watch=self._watch, writer=self._writer, cause=self._cause(lease))
        task = asyncio.create_task(self._run_live(live), name=f"session-{session_id}")
        self._live[session_id] = _Held(live, task, owner_id)
        self._served[owner_id] = asyncio.get_running_loop().time()
        task.add_done_callback(partial(self._forget, session_id))

    def _forget(self, session_id: UUID, _ended: asyncio.Task[None], /) -> None:
        """Drop a session whose task has ended.

        A callback, because a task that is cancelled before its first step runs no `finally`: its
        session's lease would be renewed without end.
        """
        del self._live[session_id]
        self._work.set()

    async def _make_room_or_tell(self) -> None:
        """Let an agent go when a prompt waits for one; its session can resume.

        The longest idle one goes at once. Where all are busy, one of the user with most goes
        after its turn, if the user in turn has fewer; the prompts that wait get a notice.
        """
        lives = [held.live for held in self._live.values()]
        idle = [live for live in lives if live.idle_since is not None]
        if not idle:
            await in_thread(waiting_notice.tell_who_waits)
        if any(live.leaving for live in lives):
            return
        for first in await self._next_in_turn(1):
            leaver = _longest_idle(idle) if idle else self._yielding(first.owner_id)
            if leaver is not None:
                leaver.leave("capacity")

    def _yielding(self, next_owner: int) -> LiveSession | None:
        """Return the busy session that is to end after its turn for a user with fewer agents."""
        agents = Counter(held.owner_id for held in self._live.values())
        owner_id = who_yields(next_owner, held=agents)
        # The first one: sessions stand in the order in which they were claimed.
        return next((h.live for h in self._live.values() if h.owner_id == owner_id), None)

    async def _run_live(self, live: LiveSession) -> None:
        facts = {"session": str(live.session_id)}
        logger.info("session claimed", extra=facts)
        try:
            with metrics.SESSIONS_HELD.track_inprogress():
                await live.run()
            self._rests.pop(live.session_id, None)
        except Exception:
            # One session's failure never ends the runner; it is recovered when it has rested.
            self._causes.setdefault(live.session_id, recovery.FAILED)  # or the database's absence
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
        """Return the sessions that are not to be claimed now; forget rests that are long over."""
        now = asyncio.get_running_loop().time()
        self._rests = {sid: r for sid, r in self._rests.items() if r.until > now - REST_MOST_S}
        return [session_id for session_id, rest in self._rests.items() if rest.until > now]

    def _cause(self, lease: Lease) -> str:
        """Return the sentence for a turn that a session's last runner left open."""
        return self._causes.pop(lease.session_id, recovery.RESTARTED)

    def _give_all_up(self) -> None:
        for session_id, held in self._live.items():
            self._causes[session_id] = recovery.CUT_OFF
            held.live.abandon()
        self._recoveries.cancel()

    def _abandon(self, session_ids: Collection[UUID]) -> None:
        for session_id in session_ids:
            if session_id in self._live:
                self._live[session_id].live.abandon()


def _longest_idle(idle: list[LiveSession]) -> LiveSession:
    # inf is that of an agent with work in the background: it goes last.
    return min(idle, key=lambda live: live.idle_since or 0.0)


async def _ended(tasks: Collection[Task], *, within_s: float, unless: asyncio.Event) -> None:
    """Wait until tasks have ended, at most within_s, and no longer once an event is set."""
    if not tasks:
        return
    waits = [asyncio.create_task(asyncio.wait(tasks)), asyncio.create_task(unless.wait())]
    try:
        await asyncio.wait(waits, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


async def _settle_folders() -> None:
    """Complete the restores and the merges that a dead server has left."""
    await restores.settle_all()
    await in_thread(ends.settle_all)
