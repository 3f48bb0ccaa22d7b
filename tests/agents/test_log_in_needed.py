"""A log-in that an agent wants: told by the port, kept as a state of the agent, and settled."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sessions.agents import port
from sessions.agents.acp.agent import AcpAgent
from sessions.agents.acp.memory import Memory
from sessions.agents.processes import environment
from sessions.agents.ways import Kind
from tests.agents.contract import Driver
from tests.agents.log_in_agent import METHODS

AGENT = Path(__file__).with_name("log_in_agent.py")
NAMES = [method["name"] for method in METHODS]


def driver() -> Driver:
    return Driver(AcpAgent([sys.executable, str(AGENT)], label="Ours"))


def variables(home: Path, at: str) -> dict[str, str]:
    return environment.build(fixed={"LOG_IN_HOME": str(home), "LOG_IN_AT": at})


@pytest.mark.parametrize(("at", "resume"), [("new", None), ("load", Memory(("s",)).kept())])
async def test_a_session_that_wants_a_log_in_tells_the_ways(
    tmp_path: Path, at: str, resume: str | None
) -> None:
    ours = driver()
    with pytest.raises(port.LogInNeeded, match=r"^Ours wants a log-in first\.$") as raised:
        await ours.start(tmp_path, variables(tmp_path, at), resume=resume)
    await ours.end()
    assert [way.name for way in raised.value.ways] == NAMES
    assert raised.value.ways[0].kind is Kind.TERMINAL
    assert raised.value.ways[2].variables == ("THE_KEY",)


async def test_a_prompt_that_wants_a_log_in_tells_the_ways_and_the_next_one_does_not(
    tmp_path: Path,
) -> None:
    ours = driver()
    try:
        await ours.start(tmp_path, variables(tmp_path, "prompt"))
        refused = await ours.turn("hi")
        assert refused.done.stop_reason == "error"
        assert refused.done.error == "Ours wants a log-in first."
        assert [way.name for way in refused.done.log_in or ()] == NAMES
        (tmp_path / "credentials").write_text("of ada")
        answered = await ours.turn("hi")
        assert answered.done == port.TurnDone("end_turn")
    finally:
        await ours.end()
