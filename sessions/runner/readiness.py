"""Getting the agent ready for a prompt, unless a person stops the prompt before that."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from sessions.agents.port import Agent, AgentError
from sessions.control.prompts import Prompt
from sessions.core.db import AWAY
from sessions.core.errors import LeaseLost
from sessions.runner.agent_link import AgentLink
from sessions.runner.stop_requests import StopRequests

logger = logging.getLogger(__name__)

# Errors that the prompt survives: another runner, or this one, resumes the session.
RECOVERABLE: Final = (LeaseLost, *AWAY)


class NotReady(Exception):
    """There is no agent for a prompt; error: a sentence for a person, None: a person's stop."""

    def __init__(self, error: str | None) -> None:
        super().__init__(error)
        self.error = error


async def ready_for(prompt: Prompt, link: AgentLink, stops: StopRequests) -> Agent:
    """Return the running agent. Raises NotReady, and the errors that the prompt survives."""
    try:
        agent = await _unless_stopped(prompt, link, stops)
    except (AgentError, TimeoutError) as exc:
        raise NotReady(str(exc) or "The agent took too long.") from exc
    except RECOVERABLE:
        raise
    except Exception as exc:
        # Left waiting, the prompt would be claimed and fail like this without end.
        logger.exception("an agent was not made ready", extra={"prompt": prompt.client_msg_id})
        raise NotReady("The server failed at starting the agent.") from exc
    if agent is None:
        raise NotReady(None)
    return agent


async def _unless_stopped(prompt: Prompt, link: AgentLink, stops: StopRequests) -> Agent | None:
    starting = asyncio.create_task(link.ready(), name="agent-start")
    stopped = asyncio.create_task(stops.until_meant(prompt), name="agent-start-stopped")
    try:
        await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
        return None if stops.mean(prompt) else starting.result()
    finally:
        starting.cancel()
        stopped.cancel()
        await asyncio.gather(starting, stopped, return_exceptions=True)
