"""Breaking: the schedule's faults are played on servers, lines and devices while people write."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Final

from lab.chaos.crowd import Crowd
from lab.chaos.evidence import Disturbance
from lab.chaos.faults import Fault, Kind, schedule, source
from lab.chaos.system import System, pick, pick_agent
from sessions.core.tasks import TaskSet

logger = logging.getLogger(__name__)

# Fewer than the ring holds, more than a replay may have.
EVENTS_OF_A_BURST: Final = 150
# An answer does not depend on the others: a runner that is frozen or dead is in the log, too.
_DISTURB_ALL: Final = {
    Kind.KILL_WEB,
    Kind.STOP_WEB,
    Kind.FREEZE_WEB,
    Kind.RESTART_DATABASE,
    Kind.RESTART_REDIS,
}


class Breaking:
    """Plays the faults of a seed."""

    def __init__(self, system: System, crowd: Crowd, *, seed: int) -> None:
        self._system = system
        self._crowd = crowd
        self._seed = seed
        self._faults = TaskSet()
        self._playing: list[asyncio.Task[None]] = []

    async def play(self, seconds: float) -> None:
        """Let people write for a time, and break things meanwhile."""
        devices = self._crowd.devices
        people = [asyncio.create_task(device.run()) for device in devices]
        try:
            await self._play_faults(seconds)
        finally:
            for device in devices:
                device.rest()
                await device.freeze(frozen=False)
            for person in people:
                person.cancel()
            ended = await asyncio.gather(*people, return_exceptions=True)
        for outcome in ended:
            if isinstance(outcome, Exception):
                raise outcome

    async def wait(self, within_s: float) -> None:
        """Wait until the faults that are being played are over."""
        if self._playing:
            await asyncio.wait(self._playing, timeout=within_s)

    async def end(self) -> None:
        """End the faults that are being played."""
        await self._faults.end()

    async def _play_faults(self, seconds: float) -> None:
        began = time.monotonic()
        for fault in schedule(self._seed, seconds=seconds, kinds=self._system.kinds):
            await asyncio.sleep(max(0.0, began + fault.at_s - time.monotonic()))
            self._system.look()
            self._playing.append(self._faults.start(self._one_fault(fault), name=fault.kind))
        await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))

    async def _one_fault(self, fault: Fault) -> None:
        logger.info("fault at %.1f s: %s for %.1f s", fault.at_s, fault.kind, fault.for_s)
        with self._disturbing_all() if fault.kind in _DISTURB_ALL else nullcontext():
            if await self._act_on_servers(fault) or await self._act_on_devices(fault):
                self._crowd.counts[fault.kind] += 1

    @contextmanager
    def _disturbing_all(self) -> Iterator[None]:
        began = time.time()
        try:
            yield
        finally:
            self._crowd.disturbances.append(Disturbance("", began, time.time()))

    # --- Servers --------------------------------------------------------------------------------

    async def _act_on_servers(self, fault: Fault) -> bool:
        system = self._system
        victims = {
            Kind.KILL_WEB: (system.webs, signal.SIGKILL),
            Kind.STOP_WEB: (system.webs, signal.SIGTERM),
            Kind.KILL_RUNNER: (system.runners, signal.SIGKILL),
            Kind.KILL_SYNC: (system.syncs, signal.SIGKILL),
            # PostgreSQL's crash: nothing is finished, and the next start recovers.
            Kind.RESTART_DATABASE: (system.services[:1], signal.SIGQUIT),
            Kind.RESTART_REDIS: (system.services[1:], signal.SIGKILL),
        }
        if fault.kind in victims:
            processes, number = victims[fault.kind]
            victim = pick(processes, fault.target)
            if not victim.is_up:
                return False  # it is in the middle of another fault
            await asyncio.to_thread(victim.end, number)
            await asyncio.sleep(fault.for_s)
            victim.start()
            return True
        if fault.kind in {Kind.FREEZE_WEB, Kind.FREEZE_RUNNER}:
            processes = system.webs if fault.kind is Kind.FREEZE_WEB else system.runners
            victim = pick(processes, fault.target)
            if not victim.is_up:
                return False
            victim.freeze()
            await asyncio.sleep(fault.for_s)
            victim.thaw()
            return True
        return fault.kind is Kind.KILL_AGENT and self._kill_agent(fault)

    def _kill_agent(self, fault: Fault) -> bool:
        pid = pick_agent(self._system.runners, source(self._seed, "agent", fault.at_s))
        if pid is None:
            return False
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            return True
        return False

    # --- Devices --------------------------------------------------------------------------------

    async def _act_on_devices(self, fault: Fault) -> bool:
        line, device = self._crowd.targets[fault.target % len(self._crowd.targets)]
        lasting: dict[Kind, Callable[[bool], None]] = {
            Kind.STALL: line.stall,
            Kind.TRICKLE: line.slow,
            Kind.REFUSE: line.refuse,
        }
        if fault.kind in lasting:
            with line.disturbed():
                lasting[fault.kind](True)  # noqa: FBT003 (one parameter)
                await asyncio.sleep(fault.for_s)
                lasting[fault.kind](False)  # noqa: FBT003 (one parameter)
        elif fault.kind is Kind.CUT:
            return line.cut() > 0
        elif fault.kind is Kind.FREEZE_DEVICE:
            with line.disturbed():
                await device.freeze(frozen=True)
                line.stall(stalled=True)
                await asyncio.sleep(fault.for_s)
                line.stall(stalled=False)
                await device.freeze(frozen=False)
        elif fault.kind is Kind.RELOAD_DEVICE:
            with line.disturbed():
                await device.reload(keeps_cursors=fault.target % 2 == 0)
        elif fault.kind is Kind.BURST:
            await device.burst(fault.target)
        elif fault.kind is Kind.FLOOD_LOG:
            session_id = self._crowd.sessions[fault.target % len(self._crowd.sessions)]
            await self._system.database.call(
                "append", session=session_id, count=EVENTS_OF_A_BURST, batch=EVENTS_OF_A_BURST
            )
        else:
            return False
        return True
