"""The client's parts by themselves: frames, cursors, and the outbox to the letter."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime
from random import Random
from unittest.mock import AsyncMock

import httpx
import pytest

from tests.client.waiting import until
from tests.support.server import ROOT
from transport.client.clock import backoff_s, retry_after_s
from transport.client.commands import Answer, answer_of
from transport.client.cursors import Cursors
from transport.client.outbox import Outbox
from transport.client.prompts import PromptState
from transport.client.sse import FrameParser

SID = "6f1f6c0e-0a35-4a0c-8d2e-0f7a5a3b1c2d"


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


GOLDEN = json.loads((ROOT / "tests/golden/clients.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", GOLDEN["refused"])
def test_only_the_server_itself_refuses_finally(case):
    assert Answer(case["status"], case["body"]).is_refused is case["isRefused"]


@pytest.mark.parametrize("case", GOLDEN["done"])
def test_the_server_itself_says_that_a_command_is_done(case):
    assert answered(case).is_done is case["isDone"]


def answered(case):
    headers = {"Retry-After": case["retryAfter"]} if "retryAfter" in case else {}
    content = b"" if case["body"] is None else json.dumps(case["body"]).encode()
    return answer_of(httpx.Response(case["status"], content=content, headers=headers))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("case", GOLDEN["sse"])
def test_frames_are_whole_wherever_the_network_cuts(case, size):
    parser = FrameParser()
    frames = [
        frame for piece in pieces(case["wire"].encode(), size) for frame in parser.push(piece)
    ]
    assert [asdict(frame) for frame in frames] == case["frames"]


@pytest.mark.parametrize("case", GOLDEN["cursors"], ids=lambda case: case["name"])
def test_each_frame_has_one_verdict(case):
    cursors = Cursors()
    cursors.track("s", case["cursor"])
    for step in case["steps"]:
        assert cursors.accept(step["frame"]) == step["verdict"]
        assert cursors.get("s") == step["cursor"]


class Fixed(Random):
    """No chance: always the same."""

    def __init__(self, always):
        super().__init__()
        self.random = lambda: always


@pytest.mark.parametrize("case", GOLDEN["backoff"])
def test_the_wait_before_a_try(case):
    assert 1000 * backoff_s(case["attempt"], Fixed(case["random"])) == case["ms"]


@pytest.mark.parametrize("case", GOLDEN["retryAfter"])
def test_retry_after_is_seconds_or_a_date(case):
    now = datetime.fromisoformat(GOLDEN["now"])
    assert 1000 * retry_after_s(case["value"], now) == case["ms"]


@pytest.mark.parametrize("case", GOLDEN["receipts"])
async def test_a_receipt_is_whole_or_none(case):
    async with outbox_with(Answer(case["status"], case["body"]), random=Fixed(1.0)) as (outbox, _):
        prompt = outbox.send("a", session_id="s", client_msg_id="id1")
        await until(lambda: outbox.waiting or prompt.state is PromptState.ACCEPTED)
        assert (prompt.state is PromptState.ACCEPTED) is case["isReceipt"]


@pytest.mark.parametrize("case", GOLDEN["outbox"])
async def test_the_outbox_decides_by_the_answer(case):
    async with outbox_with(answered(case), random=Fixed(1.0)) as (outbox, command):
        prompt = outbox.send("a", session_id="s", client_msg_id="id1")
        await until(lambda: command.await_count and prompt.state is not PromptState.SENDING)
        assert (str(prompt.state), outbox.waiting) == (case["state"], case["waiting"])
        assert prompt.is_frozen is case.get("mayBeInLog", prompt.is_frozen)


@pytest.mark.parametrize("status", [302, 400, 403, 404, 407, 511])
async def test_an_answer_of_a_proxy_refuses_nothing(status):
    page = answer_of(httpx.Response(status, text="<html>Log in to the network</html>"))
    async with outbox_with(page) as (outbox, command):
        prompt = outbox.send("a", session_id=SID)
        await until(lambda: command.await_count == 2)
        assert await prompt.settled() is PromptState.ACCEPTED


STRANGE = {
    "a log-in page": httpx.Response(200, text="<html>Log in to the network</html>"),
    "JSON of another shape": httpx.Response(200, json={"hello": "portal"}),
    "a list": httpx.Response(201, json=[]),
    "nothing": httpx.Response(200),
}


@pytest.mark.parametrize("page", STRANGE.values(), ids=STRANGE)
async def test_after_a_strange_success_the_same_prompt_is_sent_again(page):
    """It is unknown whether it has arrived: a new body under its id would be a conflict."""
    async with outbox_with(answer_of(page)) as (outbox, command):
        first = outbox.send("a", draft="d", agent="demo", mode="ask")
        await until(lambda: first.is_frozen)
        await until(lambda: command.await_count == 2)
        assert await first.settled() is PromptState.ACCEPTED
    once, again = [call.args[1] for call in command.await_args_list]
    assert again == once
    assert (once["clientMsgId"], once["agent"], once["mode"]) == (
        first.client_msg_id,
        "demo",
        "ask",
    )


def receipt_of(body, seq=1):
    told = {"clientMsgId": body["clientMsgId"], "sessionId": body["sessionId"] or SID, "seq": seq}
    return Answer(202, {"ok": True, "accepted": True, "duplicate": False, **told})


@asynccontextmanager
async def outbox_with(*script, **options):
    """An outbox whose POSTs are answered by the script, and by receipts when it is over."""
    steps = list(script)

    async def answer(_name, body, _connection_id):
        step = steps.pop(0) if steps else None
        if isinstance(step, BaseException):
            raise step
        return receipt_of(body) if step is None else step

    command = AsyncMock(side_effect=answer)
    options = {"connection_id": lambda: "c1", "random": Fixed(0.0), **options}
    outbox = Outbox(command, **options)
    running = asyncio.create_task(outbox.run())
    try:
        yield outbox, command
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def sent(command):
    return [call.args[1]["text"] for call in command.await_args_list]


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.ReadError("cut"),
        TimeoutError(),
        Answer(502, {}),
        Answer(408, {}),
        Answer(425, {}),
        Answer(200, {"hello": "portal"}),
        Answer(503, {"ok": False, "code": "server_error"}),
    ],
)
async def test_the_same_body_is_repeated_until_a_receipt(trouble):
    async with outbox_with(trouble, trouble) as (outbox, command):
        first, second = outbox.send("a", session_id=SID), outbox.send("b", session_id=SID)
        assert await asyncio.wait_for(second.settled(), 5) is PromptState.ACCEPTED
    assert sent(command) == ["a", "a", "a", "b"]
    assert len({call.args[1]["clientMsgId"] for call in command.await_args_list}) == 2
    assert first.seq == 1


async def test_a_final_refusal_is_shown_and_the_next_goes():
    refusal = Answer(413, {"ok": False, "code": "prompt_too_large", "error": "Too large."})
    async with outbox_with(refusal) as (outbox, command):
        first, second = outbox.send("a"), outbox.send("b", session_id=SID)
        await asyncio.wait_for(second.settled(), 5)
        assert (first.state, first.code, first.error) == (
            "failed",
            "prompt_too_large",
            "Too large.",
        )
        outbox.retry(first)
        await asyncio.wait_for(first.settled(), 5)
    assert sent(command) == ["a", "b", "a"]
    assert first.state is PromptState.ACCEPTED


async def test_an_unknown_connection_waits_for_the_next_one():
    live = ["c1"]
    stale = []
    async with outbox_with(
        Answer(404, {"ok": False, "code": "unknown_connection"}),
        connection_id=lambda: live[0],
        on_unknown_connection=stale.append,
    ) as (outbox, command):
        prompt = outbox.send("a", session_id=SID)
        await until(lambda: stale)
        assert command.await_count == 1
        live[0] = "c2"
        outbox.connection_changed("c2")
        assert await asyncio.wait_for(prompt.settled(), 5) is PromptState.ACCEPTED
    assert [call.args[2] for call in command.await_args_list] == ["c1", "c2"]


async def test_401_keeps_everything_until_somebody_logs_in():
    async with outbox_with(Answer(401, {"ok": False, "code": "unauthenticated"})) as (
        outbox,
        command,
    ):
        prompt = outbox.send("a", session_id=SID)
        await until(lambda: command.await_count)
        outbox.resume()
        outbox.connection_changed("c9")
        await asyncio.sleep(0.05)
        assert command.await_count == 1
        outbox.logged_in()
        assert await asyncio.wait_for(prompt.settled(), 5) is PromptState.ACCEPTED


async def test_a_full_outbox_shows_what_it_drops_and_takes_it_back_in_its_place():
    outbox = Outbox(AsyncMock(), connection_id=lambda: None, max_pending=2)
    first, *_ = [outbox.send(text, session_id=SID) for text in "abc"]
    assert (first.state, first.code) == ("evicted", "outbox_full")
    assert first.error == "More than 2 prompts were waiting."
    outbox.retry(first)  # as the oldest it is what goes again: the cap holds on every way in
    assert first.state is PromptState.EVICTED
    assert [prompt.text for prompt in outbox.pending] == ["b", "c"]
    assert [prompt.text for prompt in outbox.prompts] == ["a", "b", "c"]


async def test_an_evicted_prompt_that_was_tried_is_not_told_as_certainly_not_sent():
    trouble = httpx.ReadError("cut")
    async with outbox_with(trouble, max_pending=1, random=Random(1)) as (outbox, command):
        first = outbox.send("a", session_id=SID)
        await until(lambda: command.await_count and first.state is PromptState.QUEUED)
        outbox.send("b", session_id=SID)
    assert (first.state, first.is_frozen) == ("evicted", True)
    assert "may have reached the server" in first.error


async def test_the_log_is_as_good_as_a_receipt():
    async with outbox_with(httpx.ReadError("cut"), random=Random(1)) as (outbox, command):
        prompt = outbox.send("a", session_id=SID)
        await until(lambda: command.await_count)
        outbox.confirm(prompt.client_msg_id, SID)
        assert await asyncio.wait_for(prompt.settled(), 5) is PromptState.ACCEPTED
    assert sent(command) == ["a"]


async def test_follow_ups_of_a_draft_go_to_its_session():
    async with outbox_with() as (outbox, command):
        outbox.send("a", draft="d", agent="demo")
        last = outbox.send("b", draft="d", agent="demo")
        await asyncio.wait_for(last.settled(), 5)
    bodies = [call.args[1] for call in command.await_args_list]
    assert [(b["sessionId"], b.get("agent")) for b in bodies] == [(None, "demo"), (SID, None)]


async def test_what_waits_survives_a_restart_of_the_client(tmp_path):
    kept = tmp_path / "outbox.json"
    command = AsyncMock(side_effect=httpx.ConnectError("down"))
    before = Outbox(command, connection_id=lambda: None, storage=kept)
    ids = [before.send(text, session_id=SID).client_msg_id for text in "ab"]
    async with outbox_with(storage=kept) as (after, command):
        assert [prompt.client_msg_id for prompt in after.pending] == ids
        assert await asyncio.wait_for(after.pending[-1].settled(), 5) is PromptState.ACCEPTED
    assert sent(command) == ["a", "b"]
