"""The settings that persons chose, given to an agent that has started, and verified.

An agent may forget them when it loads a session, and another version may not have them any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final
from uuid import UUID

from sessions.agents.content import ConfigOption
from sessions.agents.port import Agent, AgentError
from sessions.choices import options as choices
from sessions.core.db import retry_while_down
from sessions.eventlog import drafts
from sessions.eventlog.writer import Writer
from sessions.runner.agent import offers

# A model decides which other settings there are: it comes first.
FIRST: Final = "model"


class ChosenOptions:
    """The settings of a session, as persons chose them."""

    def __init__(self, session_id: UUID, writer: Writer) -> None:
        self._session_id = session_id
        self._writer = writer

    async def settle(self, agent: Agent) -> None:
        """Give an agent that has started all of them, also those of the time of its start."""
        await self._writer.flush(self._session_id)
        chosen = await retry_while_down(partial(choices.chosen_in, self._session_id))
        await self.carry_out(agent, chosen)

    async def carry_out(self, agent: Agent, chosen: Mapping[str, str | bool]) -> None:
        """Change settings; where the agent refuses one, the log has its own values again."""
        refused = {}
        for option_id in sorted(chosen, key=lambda name: not _is_first(agent, name)):
            why = await _settled(agent, option_id, chosen[option_id])
            if why:
                refused[option_id] = why
        for option_id, why in refused.items():
            await retry_while_down(partial(choices.drop, self._session_id, option_id))
            told = drafts.error(code="option_refused", error=why)
            await self._writer.add(self._session_id, [told])
        if refused:
            await self._writer.add(self._session_id, [offers.offered(agent.options)])


async def _settled(agent: Agent, option_id: str, value: str | bool) -> str:  # noqa: FBT001 (its value)
    option = _find(agent, option_id)
    if option is None:
        return f"The agent has no setting {option_id!r} now."
    if option.value == value:
        return ""
    try:
        await agent.set_option(option_id, value)
    except AgentError as exc:
        return str(exc)
    has = _find(agent, option_id)
    if has is not None and has.value != value:
        return f"The agent keeps {option.label} at {has.value}."
    return ""


def _is_first(agent: Agent, option_id: str) -> bool:
    option = _find(agent, option_id)
    return option is not None and option.category == FIRST


def _find(agent: Agent, option_id: str) -> ConfigOption | None:
    return next((option for option in agent.options if option.id == option_id), None)
