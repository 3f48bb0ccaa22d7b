"""Getting the agent ready for a prompt, unless a person stops the prompt before that."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from functools import partial
from typing import Final

from sessions.agents.port import Agent, AgentError
from sessions.control import prompts
from sessions.control.prompts import AcceptedPrompt
from sessions.core.db import AWAY, retry_while_down
from sessions.core.errors import LeaseLost
from sessions.eventlog.events import StopReason
from sessions.eventlog.lease import Lease
from sessions.runner.agent.agent_link import AgentLink
from sessions.runner.turns.checkpoints import Checkpoints
from sessions.runner.turns.retelling import record_of
from sessions.runner.turns.stop_requests import StopRequests

logger = logging.getLogger(__name__)

# Errors that the prompt survives: another runner, or this one, resumes the session.
RECOVERABLE: Final = (LeaseLost, *AWAY)


class NotReady(Exception):
    """There is no agent for a prompt; error: a sentence for a person, None: a person's stop."""

    def __init__(self, error: str | None) -> None:
        super().__init__(error)
        self.error = error


class Outdated(NotReady):
    """The agent knows messages that were taken back: another one gets the prompt."""


class Readiness:
    """The things that one session needs before a prompt runs."""

    def __init__(self, link: AgentLink, stops: StopRequests, checkpoints: Checkpoints) -> None:
        self._link = link
        self._stops = stops
        self._checkpoints = checkpoints

    async def of(self, prompt: AcceptedPrompt) -> tuple[AcceptedPrompt, Agent]:
        """Return the running agent, and the prompt with the kept state of its folder.

        Raises NotReady and the errors that the prompt survives.
        """
        try:
            ready = await self._unless_stopped(prompt)
        except (AgentError, TimeoutError) as exc:
            raise NotReady(str(exc) or "The agent took too long.") from exc
        except (NotReady, *RECOVERABLE):
            raise
        except Exception as exc:
            # Left waiting, the prompt would be claimed and fail like this without end.
            logger.exception("an agent was not made ready", extra={"prompt": prompt.client_msg_id})
            raise NotReady("The server failed at starting the agent.") from exc
        if ready is None:
            raise NotReady(None)
        return ready

    async def _unless_stopped(self, prompt: AcceptedPrompt) -> tuple[AcceptedPrompt, Agent] | None:
        starting = asyncio.create_task(self._ready(prompt), name="agent-start")
        stopped = asyncio.create_task(self._stops.until_meant(prompt), name="agent-start-stopped")
        try:
            await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
            return None if self._stops.mean(prompt) else starting.result()
        finally:
            starting.cancel()
            stopped.cancel()
            await asyncio.gather(starting, stopped, return_exceptions=True)

    async def _ready(self, prompt: AcceptedPrompt) -> tuple[AcceptedPrompt, Agent]:
        if await self._link.is_outdated():
            raise Outdated(None)
        agent = await self._link.ready()
        checkpoint = await self._checkpoints.keep()
        record = partial(record_of, self._checkpoints.session_id, prompt.text)
        told = await retry_while_down(record)
        return replace(prompt, checkpoint=checkpoint, record=told), agent


async def refuse(lease: Lease, prompt: AcceptedPrompt, why: NotReady) -> str:
    """End a prompt whose agent did not come up, or leave it to another agent.

    Return the reason for which the session ends.
    """
    if isinstance(why, Outdated):
        return "rewound"
    error = why.error
    reason = StopReason.ERROR if error else StopReason.INTERRUPTED
    facts = {"session": str(lease.session_id), "epoch": lease.epoch, "why": reason.value}
    logger.warning("no agent for a prompt", extra=facts)
    turn_id = prompts.new_turn_id()
    end = partial(prompts.refuse, lease, prompt, turn_id, stop_reason=reason, error=error)
    await retry_while_down(end)
    return "start_failed" if error else "stopped"
