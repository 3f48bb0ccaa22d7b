"""Turns that the agent begins by itself: they wait for the log, and make room for prompts."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final
from uuid import UUID

from sessions.agents.port import Agent
from sessions.control import prompts
from sessions.core.db import retry_while_down
from sessions.runner.agent.asked import Asked

# A missed wake costs no more than this.
CHECK_S: Final = 30.0


class OwnTurns:
    """The turns of one session that no prompt asks for."""

    def __init__(self, session_id: UUID, something: asyncio.Event, requests: Asked) -> None:
        self._session_id = session_id
        self._something = something
        self._requests = requests
        # The agent has begun one, and its updates wait for the log to have the begin.
        self._begun: asyncio.Event | None = None

    @property
    def is_one_due(self) -> bool:
        """Whether the agent has begun a turn that the log does not have."""
        return self._begun is not None

    async def held(self) -> None:
        """Note that the agent has begun a turn, and wait until its updates may come."""
        begun = self._begun = asyncio.Event()
        self._something.set()
        await begun.wait()

    def release(self) -> None:
        """Let the updates of the agent's own turn come, into whichever turn is open."""
        waiting, self._begun = self._begun, None
        if waiting is not None:
            waiting.set()

    async def run(self, agent: Agent, run_turn: Callable[[], Awaitable[None]]) -> None:
        """Run a turn of the agent's own; a waiting prompt ends it, unless a person is asked."""
        yielding = asyncio.create_task(self._yield_to_prompts(agent), name="own-turn-yields")
        try:
            await run_turn()
        finally:
            yielding.cancel()
            await asyncio.gather(yielding, return_exceptions=True)

    async def _yield_to_prompts(self, agent: Agent) -> None:
        next_prompt = partial(prompts.next_accepted, self._session_id)
        while True:
            self._something.clear()
            is_asking = self._requests.is_any_open
            if not is_asking and await retry_while_down(next_prompt) is not None:
                await agent.end_own_turn()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CHECK_S):
                    await self._something.wait()
