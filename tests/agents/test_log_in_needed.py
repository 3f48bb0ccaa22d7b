"""A log-in that an agent wants: told by the port, kept as a state of the agent, and settled."""

from __future__ import annotations

import sys
from pathlib import Path
from uuid import UUID

import pytest

from sessions.agents import port
from sessions.agents.acp.agent import AcpAgent
from sessions.agents.acp.memory import Memory
from sessions.agents.processes import accounts, environment
from sessions.agents.ways import Kind
from sessions.core.db import in_thread
from sessions.log_ins import needs
from tests.agents.contract import Driver
from tests.agents.log_in_agent import METHODS
from tests.support.running import Chat, assert_well_formed, running_chat

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


# --- kept, told and settled -------------------------------------------------------------------


@pytest.fixture
def home(settings, tmp_path: Path) -> Path:
    """The home of the credentials of two agents: `ours`, and `late`, which asks at a prompt."""
    home = tmp_path / "agent-home"
    home.mkdir()
    command = f'command = ["{sys.executable}", "{AGENT}"]\nwrite = ["{home}"]\n'
    file = tmp_path / "agents.toml"
    file.write_text(
        f'[agents.ours]\nlabel = "Ours"\n{command}env = {{ LOG_IN_HOME = "{home}" }}\n'
        f'[agents.late]\nlabel = "Late"\n{command}'
        f'env = {{ LOG_IN_HOME = "{home}", LOG_IN_AT = "prompt" }}\n'
    )
    settings.DATA_DIR = tmp_path / "data"
    settings.DATA_DIR.mkdir()
    settings.CHAT = {"AGENTS_FILE": str(file), "SENDS_PER_MINUTE": 10_000}
    return home


async def wanted() -> dict[str, needs.Need]:
    return await in_thread(needs.of_account, accounts.name_of("owner"))


async def told(chat: Chat, session_id: UUID) -> list[bool]:
    events = await chat.events(session_id)
    assert_well_formed(events)
    return [e.payload["needed"] for e in events if e.type == "log_in_changed"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("agent", ["ours", "late"])
async def test_a_needed_log_in_is_a_state_of_the_agent_until_it_answers(
    home: Path, agent: str
) -> None:
    async with running_chat() as chat:
        first = await chat.send("hi", agent=agent)
        refused = await chat.settled(first)
        other = await chat.send("hi", agent=agent)
        await chat.settled(other)
        since = (await wanted())[agent]["since"]
    # It survives a restart; the log has it once for each refusal.
    assert refused["error"] == f"{agent.title()} wants a log-in first."
    need = (await wanted())[agent]
    assert need["since"] == since
    assert [way["name"] for way in need["ways"]] == NAMES
    assert need["ways"][0].keys() == {"name", "description", "kind", "variables"}
    async with running_chat() as chat:
        waiting = await chat.snapshot(first.session_id)
        assert waiting["logIn"]["ways"] == NAMES

        (home / "credentials").write_text("of ada")
        again = await chat.send("hi", first.session_id)
        assert (await chat.settled(again))["promptState"] == "answered"
        for session_id in (first.session_id, other.session_id):
            await chat.until(session_id, lambda taken: taken["logIn"] is None)
            assert await told(chat, session_id) == [True, False]
        assert await wanted() == {}


@pytest.mark.django_db(transaction=True)
async def test_a_session_that_opens_is_no_proof_where_a_prompt_wanted_the_log_in(
    home: Path,
) -> None:
    async with running_chat() as chat:
        receipt = await chat.send("hi", agent="late")
        await chat.settled(receipt)
        await chat.interrupt(receipt.session_id, stop=True)
        await chat.until(receipt.session_id, lambda taken: taken["state"] == "ENDED")
        await chat.settled(await chat.send("again", receipt.session_id))
        assert await told(chat, receipt.session_id) == [True, True]
        assert (await wanted()).keys() == {"late"}
