"""Odd agents through the whole runner: what ends up in the log and in the snapshot."""

from __future__ import annotations

import json
import sys

import pytest

from sessions.agents.acp.translation.tools.action import MAX_INPUT_CHARS
from sessions.control.send import Receipt
from tests.agents.test_odd_agents import ODD
from tests.support.running import Chat, assert_well_formed, running_chat

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def odd(settings, tmp_path):
    """Make an odd agent one that can be chosen; return its name."""
    file = tmp_path / "agents.toml"
    settings.CHAT = {
        "AGENTS_FILE": str(file),
        "SENDS_PER_MINUTE": 10_000,
        "INTERRUPT_TIMEOUT_S": 0.5,
        "STOP_GRACE_S": 0.5,
    }

    def choose(kind: str) -> str:
        command = json.dumps([sys.executable, str(ODD), kind])
        file.write_text(f"[agents.odd]\ncommand = {command}\n")
        return "odd"

    return choose


async def over_processes(chat: Chat, agent: str, *turns: int) -> Receipt:
    """Run so many turns in one process of the agent after the other, all of one session."""
    session_id = None
    for count in turns:
        for _ in range(count):
            receipt = await chat.send("hi", session_id, agent=agent)
            session_id = receipt.session_id
            assert (await chat.settled(receipt))["promptState"] == "answered"
        await chat.interrupt(session_id, stop=True)
        await chat.until(session_id, lambda taken: taken["state"] == "ENDED")
    return receipt


@pytest.mark.parametrize(
    "kind",
    [
        "CountsItsWholeSession",
        "TellsItsCostAtItsStart",
        "CountsAnewInEachProcess",
        "ForgetsItsSession",
    ],
)
async def test_each_turns_cost_is_counted_once_over_all_processes_of_an_agent(odd, kind):
    async with running_chat() as chat:
        receipt = await over_processes(chat, odd(kind), 2, 1, 2)
        events = await chat.events(receipt.session_id)
        costs = [e.payload["costUsd"] for e in events if e.type == "usage"]
        assert costs == [0.25] * 5
        assert (await chat.snapshot(receipt.session_id))["usage"]["costUsd"] == 1.25
        assert_well_formed(events)


async def test_names_of_any_length_leave_log_and_snapshot_small(odd):
    async with running_chat() as chat:
        receipt = await chat.send("hi", agent=odd("NamesThingsAtLength"))
        await chat.until(receipt.session_id, lambda taken: taken["permissions"])
        snapshot = await chat.snapshot(receipt.session_id)
        events = await chat.events(receipt.session_id)
    # All that is long are the inputs of three tools; one is told twice, because it is asked for.
    assert len(json.dumps(snapshot)) < 4.5 * MAX_INPUT_CHARS
    assert sum(len(json.dumps(event.payload)) for event in events) < 4.5 * MAX_INPUT_CHARS
