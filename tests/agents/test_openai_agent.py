"""What an endpoint can do wrong, and what the person reads then."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace

import pytest

from sessions.agents import port
from sessions.agents.programs.history import fitting, shorter
from sessions.agents.programs.openai import ENDPOINT as VARIABLE
from sessions.agents.programs.openai import Endpoint
from tests.agents.backends import ENDPOINT
from tests.agents.contract import driven


async def test_reasoning_comes_before_the_answer_and_usage_is_counted(tmp_path):
    async with driven(ENDPOINT, tmp_path) as driver:
        turn = await driver.turn("SCRIPT: think 2")
    thought = "".join(u.text for u in turn.of(port.ThinkingDelta))
    assert (thought, turn.text) == ("thought1 thought2 ", "word1 word2 word3 ")
    assert turn.of(port.Usage)[0].output_tokens == 5


@pytest.mark.parametrize(
    ("prompt", "error"),
    [
        ("SCRIPT: status 401", "answered 401: told to fail"),
        ("SCRIPT: status 429", "answered 429: told to fail"),
        ("SCRIPT: status 500", "answered 500: told to fail"),
        ("SCRIPT: cut", "in the middle"),
        ("SCRIPT: stall", "sent nothing for 1.5 s"),
    ],
)
async def test_a_failing_endpoint_ends_the_turn_with_a_sentence(tmp_path, prompt, error):
    async with driven(ENDPOINT, tmp_path) as driver:
        turn = await driver.turn(prompt)
        assert (await driver.turn("SCRIPT: say 1")).text == "word1 "
    assert turn.done.stop_reason == "error"
    assert error in (turn.done.error or "")


def chunk(**fields: object) -> dict[str, object]:
    return {"id": "c", "object": "chat.completion.chunk", **fields}


def piece(text: object, **fields: object) -> dict[str, object]:
    return chunk(choices=[{"index": 0, "delta": {"content": text}, **fields}])


END = chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
DONE = "data: [DONE]\n\n"


def frames(*sent: object) -> str:
    return f"SCRIPT: frames {base64.b64encode(json.dumps(sent).encode()).decode()}"


@pytest.mark.parametrize(
    "odd",
    [
        chunk(choices=[{"index": 0, "delta": None}]),
        chunk(choices=[{"index": 0}]),
        chunk(choices=[]),
        chunk(choices=None),
        chunk(choices=[None]),
        chunk(),
        {},
        piece(None),
        piece([]),
        chunk(choices=[], usage={"prompt_tokens": "many", "completion_tokens": None}),
        chunk(choices=[], usage=[5]),
        chunk(choices=[{"delta": {"reasoning": 5, "role": 7, "tool_calls": "x"}}]),
        ": a comment\n\n",
    ],
)
async def test_a_chunk_that_says_nothing_costs_nothing(tmp_path, odd):
    async with driven(ENDPOINT, tmp_path) as driver:
        turn = await driver.turn(frames(piece("a"), odd, piece([{"text": "b"}]), odd, END, DONE))
    assert (turn.text, turn.done) == ("ab", port.TurnDone("end_turn"))


@pytest.mark.parametrize(
    ("odd", "error"),
    [
        (piece(5), "another form than the API's, at choices.0.delta.content"),
        (piece({"text": "x"}), "another form than the API's, at choices.0.delta.content"),
        (chunk(choices=[{"delta": "x"}]), "at choices.0.delta"),
        (chunk(choices=[5]), "at choices.0"),
        (chunk(choices={"0": {}}), "at choices"),
        ([1, 2], "at the whole event"),
        (7, "at the whole event"),
        ("data: {broken\n\n", "not JSON"),
        ("data:\n\n", "not JSON"),
        ("data: {}{}\n\n", "not JSON"),
        ("data: \xff\xfe\n\n", "not JSON"),
        ({"error": {"message": "no memory", "code": 5}}, "reported an error: no memory"),
        ({"error": "no memory"}, "reported an error: no memory"),
        ({"error": {"code": 5}}, "reported an error: no reason given"),
        ({"object": "error", "message": "no memory"}, "reported an error: no memory"),
    ],
)
async def test_what_cannot_be_read_ends_the_turn_with_a_sentence(tmp_path, odd, error):
    async with driven(ENDPOINT, tmp_path) as driver:
        turn = await driver.turn(frames(piece("kept"), odd, piece("lost"), END, DONE))
        assert (await driver.turn("SCRIPT: say 1")).text == "word1 "
    assert (turn.text, turn.done.stop_reason) == ("kept", "error")
    told = turn.done.error or ""
    assert error in told
    assert not re.search(r"Error\b|NoneType|Traceback|object has no|Expecting|codec|pydantic", told)


@pytest.mark.parametrize("finish", ["tool_calls", "function_call"])
async def test_a_model_that_waits_for_a_tool_ends_the_turn_with_a_sentence(tmp_path, finish):
    end = chunk(choices=[{"delta": {}, "finish_reason": finish}])
    async with driven(ENDPOINT, tmp_path) as driver:
        turn = await driver.turn(frames(piece("kept"), end, DONE))
    assert (turn.text, turn.done.stop_reason) == ("kept", "error")
    assert "asked for a tool" in (turn.done.error or "")


@pytest.mark.parametrize("page", ["<html>Log in</html>", '{"choices": []}', ""])
async def test_an_answer_that_is_no_stream_is_told(tmp_path, page):
    async with driven(ENDPOINT, tmp_path) as driver:
        turn = await driver.turn(frames(page))
    assert "no stream of events" in (turn.done.error or "")


async def test_half_an_emoji_in_the_history_spoils_no_later_prompt(tmp_path):
    async with driven(ENDPOINT, tmp_path) as driver:
        turn = await driver.turn(frames(piece("half \ud83d"), piece("\ude00 and \udc00"), END))
        assert turn.text == "half 😀 and \ufffd"
        assert (await driver.turn("SCRIPT: say 1")).text == "word1 "


async def test_a_dead_endpoint_is_named(tmp_path):
    dead = Endpoint("http://127.0.0.1:9/v1", "m").to_json()
    backend = replace(ENDPOINT, environment=lambda f: {**ENDPOINT.environment(f), VARIABLE: dead})
    async with driven(backend, tmp_path) as driver:
        turn = await driver.turn("hi")
    assert "no connection to http://127.0.0.1:9/v1" in (turn.done.error or "")


def test_the_oldest_messages_go_first_and_the_first_left_is_the_persons():
    history = [
        {"role": role, "content": f"{role} {number} " + "x" * 80}
        for number in range(5)
        for role in ("user", "assistant")
    ] + [{"role": "user", "content": "last"}]
    kept = fitting("s", history, tokens=100)
    assert [m["content"].split(" x")[0] for m in kept] == ["s", "user 4", "assistant 4", "last"]
    assert [m["content"] for m in shorter(kept)] == ["s", "last"]


def test_a_prompt_that_is_too_long_alone_loses_its_beginning():
    messages = fitting("s", [{"role": "user", "content": "a" * 50 + "b" * 50}], tokens=1)
    assert shorter(messages)[1]["content"] == "b" * 50
