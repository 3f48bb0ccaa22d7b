"""Healing: everything works again, and the run waits until all is quiet."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final

from lab.chaos.crowd import Crowd
from lab.chaos.people.stranger import Stranger
from lab.chaos.system import System
from lab.rig.json_lines import CallFailed

logger = logging.getLogger(__name__)

# The longest that healing may take: leases run out, queues are worked off.
QUIET_S: Final = 120.0
# All is quiet when nothing has moved for so long.
STILL_S: Final = 1.5


class Healing:
    """Mends a system. after_s: how long it took until all was quiet."""

    def __init__(self, system: System, crowd: Crowd) -> None:
        self.after_s = 0.0
        self._system = system
        self._crowd = crowd

    async def heal(self) -> list[str]:
        """Let everything work again; return the parts that are not quiet within QUIET_S."""
        for line in self._crowd.lines:
            line.heal()
        await self._system.heal()
        for device in self._crowd.devices:
            await device.hurry()
        began = time.monotonic()
        still_since = began
        before: object = None
        restless: list[str] = []
        while time.monotonic() - began < QUIET_S:
            restless, stand = await self._stand()
            logger.info("%.1f s after the last fault: %s", time.monotonic() - began, restless)
            if restless or stand != before:
                before, still_since = stand, time.monotonic()
            elif time.monotonic() - still_since >= STILL_S:
                break
            self._system.look()
            await asyncio.sleep(0.3)
        else:
            restless = restless or ["the log still grew"]
        self.after_s = time.monotonic() - began
        return restless

    async def _stand(self) -> tuple[list[str], object]:
        """Return the unsettled parts, in words, and the place of everything."""
        try:
            progress = await self._system.database.call("progress")
        except CallFailed as exc:
            return [f"the database does not answer: {exc}"], None
        restless = []
        if progress["open"]:
            restless.append(f"{progress['open']} prompts have no outcome")
        restless += [f"session {name} is live without an owner" for name in progress["orphans"]]
        for device in self._crowd.devices:
            if unsettled := await device.unsettled():
                restless.append(f"{device.name}: {unsettled}")
            for session_id, cursor in device.cursors().items():
                head = progress["heads"].get(session_id, 0)
                if cursor != head and not isinstance(device, Stranger):
                    restless.append(f"{device.name}: {session_id} at {cursor} of {head}")
        return restless, progress["heads"]
