"""The prompt in flight."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from sessions.agents.acp.translation.cost import TurnUsage
from sessions.agents.acp.translation.halves import Halves
from sessions.agents.acp.translation.tools.calls import Tools
from sessions.agents.port import InterruptCode, InterruptResult
from sessions.agents.processes.group import AgentProcess

# An agent may miss a cancel that comes while it still sets a turn up; asking again does no harm.
CANCEL_REPEAT_S = 1.0
# The ids of a turn that are remembered, to know late messages of it.
MAX_SEEN = 1000
# How often the tools of a running turn are looked at, so that none can slip away unseen.
GLIMPSE_S = 1.0


def _future() -> asyncio.Future[str]:
    return asyncio.get_running_loop().create_future()


@dataclass
class Turn:
    """One prompt, from `send` to its end."""

    tools: Tools
    halves: Halves = field(default_factory=Halves)
    usage: TurnUsage = field(default_factory=TurnUsage)
    request_id: int | None = None
    is_interrupted: bool = False
    is_taken: bool = False  # the answer was a receipt: a word that the agent is idle ends the turn
    idle: dict[str, Any] | None = None  # such a word that came before the answer
    is_own: bool = False  # the agent began it: no prompt is open
    is_told_over: bool = False  # one of its own that it has ended by a word, not by silence
    sent: asyncio.Event = field(default_factory=asyncio.Event)
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    refusal: asyncio.Future[str] = field(default_factory=_future)
    seen: dict[str, None] = field(default_factory=dict)  # ids of messages and tools, last ones last

    def see(self, ids: set[str]) -> None:
        """Note ids of this turn; late messages are of the last ones."""
        for own in ids:
            self.seen.pop(own, None)
            self.seen[own] = None
        while len(self.seen) > MAX_SEEN:
            del self.seen[next(iter(self.seen))]

    async def cancel(
        self, process: AgentProcess, ask: Callable[[], Awaitable[None]]
    ) -> InterruptResult:
        """Ask the agent to cancel until the turn ends, it refuses or it is dead."""
        await self.sent.wait()
        ends: list[asyncio.Future[Any]] = [
            asyncio.ensure_future(self.finished.wait()),
            asyncio.ensure_future(process.wait()),
        ]
        try:
            while True:
                await ask()
                await asyncio.wait(
                    [*ends, self.refusal],
                    timeout=CANCEL_REPEAT_S,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if self.finished.is_set() and process.is_running:
                    return InterruptResult(InterruptCode.ACKNOWLEDGED)
                if not process.is_running:
                    return InterruptResult(InterruptCode.DEAD)
                if self.refusal.done():
                    return InterruptResult(InterruptCode.FAILED, self.refusal.result())
        finally:
            for end in ends:
                end.cancel()

    async def glimpse(self, process: AgentProcess) -> None:
        """Note the descendants of the agent again and again until the turn ends."""
        while not self.finished.is_set():
            await process.glimpse()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GLIMPSE_S):
                    await self.finished.wait()
