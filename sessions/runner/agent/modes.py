"""The mode of a live session: the choice of a person, and the mode that its agent has.

A reader of "ask" relies on it, so the log names the agent's own mode after every answer.
"""

from __future__ import annotations

import asyncio
from functools import partial
from uuid import UUID

from sessions.agents.port import Agent, AgentError, Started
from sessions.core.db import retry_while_down
from sessions.eventlog import drafts
from sessions.eventlog.events import BY_AGENT, Draft
from sessions.eventlog.writer import Writer
from sessions.models import Session


class ChosenMode:
    """The last choice of a person, until the agent is asked for it."""

    def __init__(self, session_id: UUID, writer: Writer) -> None:
        self._session_id = session_id
        self._writer = writer
        self._chosen: str | None = None
        self._changing = asyncio.Lock()

    def choose(self, mode: str) -> None:
        """Note the choice of a person; an older choice that the agent was not asked for is void."""
        self._chosen = mode

    async def settle(self, agent: Agent, given: str, started: Started) -> None:
        """Carry out the choice that came while the agent started with the mode given."""
        if started.mode_error is not None:
            await self._tell_refused(started.mode_error)
        chosen = await self._logged()
        # Every choice until now is in the log; one that is older than the start needs no repeating.
        self._chosen = chosen if chosen != given else None
        await self.carry_out(agent)

    async def carry_out(self, agent: Agent) -> None:
        """Ask the agent for the chosen mode; then the log says the one that it has."""
        async with self._changing:
            chosen, self._chosen = self._chosen, None
            try:
                if chosen is not None and chosen != agent.mode:
                    await agent.set_mode(chosen)
            except AgentError as exc:
                await self._tell_refused(str(exc))
            await self._writer.flush(self._session_id)
            if self._chosen is not None or _is_dead(agent):
                return  # the next one to ask, or the next start, has it from the log
            has = agent.mode or ""
            if await self._logged() != has:
                await self._add(drafts.mode_changed(mode=has, by=BY_AGENT))

    async def _logged(self) -> str:
        read = partial(Session.objects.only("mode").get, pk=self._session_id)
        return (await retry_while_down(read)).mode

    async def _tell_refused(self, error: str) -> None:
        await self._add(drafts.error(code="mode_refused", error=error))

    async def _add(self, draft: Draft) -> None:
        await self._writer.add(self._session_id, [draft])


def _is_dead(agent: Agent) -> bool:
    return agent.process is not None and not agent.process.is_running
