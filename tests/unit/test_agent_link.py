"""The end of a session's agent, asked for from more than one side."""

import asyncio
from types import SimpleNamespace
from uuid import uuid4

from sessions.eventlog.lease import Lease
from sessions.runner.agent.agent_link import AgentLink


class SlowAgent:
    """An agent whose end takes until `may_end` is set."""

    def __init__(self) -> None:
        self.process = None
        self.may_end = asyncio.Event()
        self.graces: list[float] = []
        self.has_ended = False

    async def close(self, *, grace_s: float) -> None:
        self.graces.append(grace_s)
        if grace_s:
            await self.may_end.wait()
        self.has_ended = True


def link_to(agent: SlowAgent) -> AgentLink:
    link = AgentLink(Lease(uuid4(), "runner", 1), SimpleNamespace(), SimpleNamespace())
    link._agent = agent
    return link


async def test_a_second_close_waits_until_no_process_is_left() -> None:
    agent = SlowAgent()
    link = link_to(agent)
    first = asyncio.create_task(link.close(grace_s=5))
    second = asyncio.create_task(link.close(grace_s=5))
    done, _ = await asyncio.wait([first, second], timeout=0.05)
    assert not done, "a session could be told as ended while its agent runs"
    agent.may_end.set()
    await asyncio.gather(first, second)
    assert agent.has_ended
    assert agent.graces == [5]


async def test_a_close_that_is_cancelled_ends_the_agent_at_once() -> None:
    agent = SlowAgent()
    link = link_to(agent)
    first = asyncio.create_task(link.close(grace_s=5))
    second = asyncio.create_task(link.close(grace_s=5))
    await asyncio.wait([first, second], timeout=0.05)
    first.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    assert first.cancelled()
    assert agent.has_ended
    assert agent.graces == [5, 0]
