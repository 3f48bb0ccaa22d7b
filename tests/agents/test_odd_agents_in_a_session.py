"""I7 from end to end: whatever an agent sends, its turn ends, and its session goes on."""

import json
import sys
from contextlib import asynccontextmanager

import pytest

from sessions.agents.acp.translation import labels
from sessions.core.db import in_thread
from sessions.models import Session
from sessions.runner.turns.stop import stop_turn
from sessions.runner.turns.turn import TurnBuilder
from tests.agents.test_odd_agents import ODD
from tests.support.running import Chat, assert_well_formed, prompt_of, running_chat

pytestmark = pytest.mark.django_db(transaction=True)

QUICK = {"SENDS_PER_MINUTE": 10_000, "INTERRUPT_TIMEOUT_S": 2, "STOP_GRACE_S": 0.5}


@pytest.fixture
def odd_chat(settings, tmp_path):
    """A function that gives a running chat whose agent `odd` is odd in one way."""

    @asynccontextmanager
    async def running(kind: str):
        path = tmp_path / "agents.toml"
        command = json.dumps([sys.executable, str(ODD), kind])
        path.write_text(f"[agents.odd]\ncommand = {command}\n")
        settings.CHAT = QUICK | {"AGENTS_FILE": str(path)}
        async with running_chat() as chat:
            yield chat

    return running


async def ask(chat: Chat, text: str, session_id=None):
    return await chat.send(text, session_id, agent="odd")


async def texts_of(chat: Chat, session_id) -> list[str]:
    taken = await chat.snapshot(session_id)
    blocks = [block for message in taken["messages"] for block in message.get("blocks", [])]
    return [block["content"] for block in blocks if block["blockType"] == "text"]


async def test_i7_json_that_is_nested_very_deep_is_cut_and_the_turn_goes_on(odd_chat):
    async with odd_chat("NestsDeep") as chat:
        receipt = await ask(chat, "go")
        taken = await chat.until(receipt.session_id, lambda s: s["permissions"])
        assert "nested too deeply" in json.dumps(taken["permissions"][0]["input"])
        await chat.interrupt(receipt.session_id)
        await chat.settled(receipt)
        events = await chat.events(receipt.session_id)
        [tool, *_] = [e for e in events if e.type == "block_end" and "input" in e.payload]
        assert "nested too deeply" in json.dumps(tool.payload["input"])
        assert next(e.payload["status"] for e in events if e.type == "tool_result") == "completed"
        assert_well_formed(events)


async def test_i7_a_turn_with_deep_json_in_it_can_be_interrupted_and_stopped(odd_chat):
    async with odd_chat("NestsDeep") as chat:
        first = await ask(chat, "stay")
        await chat.until(first.session_id, lambda s: s["permissions"])
        assert (await chat.interrupt(first.session_id)).interrupted
        assert (await chat.settled(first))["promptState"] == "interrupted"
        second = await ask(chat, "stay", first.session_id)
        await chat.until(first.session_id, lambda s: s["permissions"])
        assert (await chat.interrupt(first.session_id, stop=True)).interrupted
        assert (await chat.settled(second))["promptState"] == "interrupted"
        await chat.until(first.session_id, lambda s: s["state"] == "ENDED")


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"usage": {"inputTokens": -1}}, {"inputTokens": 0, "outputTokens": 7, "costUsd": 0.5}),
        ({"usage": {"outputTokens": True}}, {"inputTokens": 5, "outputTokens": 0, "costUsd": 0.5}),
        ({"usage": {"outputTokens": 1e9}}, {"inputTokens": 5, "outputTokens": 0, "costUsd": 0.5}),
        ({"usage": {"inputTokens": 10**400}}, {"inputTokens": 0, "outputTokens": 7}),
        ({"cost": float("nan")}, {"inputTokens": 5, "outputTokens": 7, "costUsd": 0.0}),
        ({"cost": float("inf")}, {"inputTokens": 5, "outputTokens": 7, "costUsd": 0.0}),
        ({"cost": 1e308}, {"inputTokens": 5, "outputTokens": 7, "costUsd": 0.0}),
        ({"cost": -1}, {"inputTokens": 5, "outputTokens": 7, "costUsd": 0.0}),
        ({"size": -5}, {"inputTokens": 5, "outputTokens": 7}),
        ({"size": 10**400}, {"inputTokens": 5, "outputTokens": 7}),
    ],
)
async def test_i7_counts_that_make_no_sense_cost_no_answer(odd_chat, told, expected):
    async with odd_chat("CountsAsTold") as chat:
        receipt = await ask(chat, json.dumps(told))
        prompt = await chat.settled(receipt)
        assert (prompt["promptState"], prompt["error"]) == ("answered", None)
        assert await texts_of(chat, receipt.session_id) == ["hello"]
        usage = prompt["usage"]
        assert {name: usage[name] for name in expected} == expected
        # The next turn counts from where the last good word was.
        again = await chat.settled(await ask(chat, '{"cost": 0.75}', receipt.session_id))
        assert again["promptState"] == "answered"
        assert 0 <= again["usage"]["costUsd"] <= 0.75
        assert_well_formed(await chat.events(receipt.session_id))


async def test_i7_updates_of_wrong_types_are_left_out_and_the_answer_comes(odd_chat):
    async with odd_chat("SendsWrongTypes") as chat:
        receipt = await ask(chat, "go")
        assert (await chat.settled(receipt))["promptState"] == "answered"
        assert "hello" in "".join(await texts_of(chat, receipt.session_id))
        assert_well_formed(await chat.events(receipt.session_id))


async def test_ids_that_no_column_holds_are_done_without(odd_chat):
    async with odd_chat("HasLongIds") as chat:
        receipt = await ask(chat, "go")
        assert (await chat.settled(receipt))["promptState"] == "answered"
        taken = await chat.snapshot(receipt.session_id)
        assert [mode["id"] for mode in taken["modes"]] == ["ask"]
        assert taken["mode"] == "ask"
        assert len(taken["title"]) <= 200
        session = await in_thread(Session.objects.get, pk=receipt.session_id)
        assert session.agent_session_id == ""
        assert Session._meta.get_field("mode").max_length == labels.MAX_ID_CHARS


async def test_i7_an_update_that_the_server_cannot_take_ends_its_turn_as_an_error(
    odd_chat, monkeypatch
):
    apply = TurnBuilder.apply
    failures = [ZeroDivisionError("odd")]

    def fails_once(self, update):
        if failures:
            raise failures.pop()
        return apply(self, update)

    monkeypatch.setattr(TurnBuilder, "apply", fails_once)
    async with odd_chat("Agent") as chat:
        first = await ask(chat, "go")
        prompt = await chat.settled(first)
        assert (prompt["promptState"], prompt["stopReason"]) == ("failed", "error")
        second = await ask(chat, "go", first.session_id)
        assert (await chat.settled(second))["promptState"] == "answered"
        assert_well_formed(await chat.events(first.session_id))


async def test_i7_a_stop_that_fails_still_ends_the_turn(odd_chat, monkeypatch):
    failures = [ZeroDivisionError("odd")]

    async def fails_once(agent, done, tell):
        if failures:
            raise failures.pop()
        return await stop_turn(agent, done, tell)

    monkeypatch.setattr("sessions.runner.turns.turn_run.stop_turn", fails_once)
    async with odd_chat("NestsDeep") as chat:
        first = await ask(chat, "stay")
        await chat.until(first.session_id, lambda s: s["permissions"])
        assert (await chat.interrupt(first.session_id)).interrupted
        assert (await chat.settled(first))["promptState"] == "interrupted"
        second = await ask(chat, "go", first.session_id)
        await chat.until(first.session_id, lambda s: s["permissions"])
        await chat.interrupt(first.session_id)
        assert prompt_of(await chat.snapshot(first.session_id), second)["turnId"]
        assert_well_formed(await chat.events(first.session_id))
