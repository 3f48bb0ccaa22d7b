"""The stop ladder is climbed to its end, whatever becomes of what is told about it."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sessions.agents.acp.agent import AcpAgent
from sessions.agents.processes import environment
from sessions.runner.turns import stop
from tests.agents.contract import PATIENCE_S

ODD = Path(__file__).with_name("odd_agent.py")
RUNGS = ["SIGINT", "SIGTERM", "SIGKILL"]


@pytest.fixture(autouse=True)
def quick(settings, monkeypatch):
    settings.CHAT = {"INTERRUPT_TIMEOUT_S": 0.3}
    monkeypatch.setattr(stop, "TELL_S", 0.1)


@asynccontextmanager
async def stuck_agent(folder: Path) -> AsyncIterator[AcpAgent]:
    """An agent in a turn that heeds nothing but SIGKILL."""
    agent = AcpAgent([sys.executable, str(ODD), "HeedsNothing"], label="Odd")
    try:
        await agent.start(cwd=folder, env=environment.build(), resume=None, mode=None)
        await agent.send("hi")
        yield agent
    finally:
        await agent.close(grace_s=0)


async def stopped(agent: AcpAgent, tell: Callable[..., Awaitable[None]]) -> None:
    """Stop the agent's turn and see that no process of it is left."""
    done: asyncio.Future = asyncio.get_running_loop().create_future()
    async with asyncio.timeout(PATIENCE_S):
        assert not await stop.stop_turn(agent, done, tell)
    assert agent.process is not None
    assert await agent.process.remember() == set()


async def test_every_step_is_taken_when_none_can_be_told(tmp_path, caplog):
    async def tell(code: str, error: str, escalation: str) -> None:
        raise RuntimeError("the log takes nothing")

    async with stuck_agent(tmp_path) as agent:
        await stopped(agent, tell)
    lost = [r.escalation for r in caplog.records if r.message == "a step of a stop was not told"]
    assert lost == RUNGS


async def test_every_step_is_taken_while_telling_hangs(tmp_path):
    async def tell(code: str, error: str, escalation: str) -> None:
        await asyncio.Event().wait()

    async with stuck_agent(tmp_path) as agent:
        await stopped(agent, tell)


async def test_what_could_not_be_told_is_told_with_the_next_step_in_order(tmp_path):
    told = []
    calls = []

    async def tell(code: str, error: str, escalation: str) -> None:
        calls.append(escalation)
        if len(calls) == 1:
            raise RuntimeError("the log is away")
        if len(calls) == 2:
            await asyncio.Event().wait()
        told.append(escalation)

    async with stuck_agent(tmp_path) as agent:
        await stopped(agent, tell)
    assert told == RUNGS
