"""The client's parts by themselves: frames, cursors, and the outbox to the letter."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import asynccontextmanager
from random import Random
from unittest.mock import AsyncMock

import httpx
import pytest

from tests.client.waiting import until
from transport.client.answers import Answer, backoff_s, retry_after_s
from transport.client.cursors import Cursors, Verdict
from transport.client.outbox import Outbox, PromptState
from transport.client.sse import FrameParser

SID = "6f1f6c0e-0a35-4a0c-8d2e-0f7a5a3b1c2d"


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


@pytest.mark.parametrize(
    ("answer", "is_refusal"),
    [
        (Answer(404, {"code": "unknown_session"}), True),
        (Answer(409, {"code": "too_many_watches"}), True),
        (Answer(404, {}), False),
        (Answer(502, {}), False),
        (Answer(503, {"code": "server_error"}), False),
        (Answer(429, {"code": "rate_limited"}), False),
        (Answer(401, {"code": "unauthenticated"}), False),
        (Answer(202, {"ok": True}), False),
    ],
)
def test_only_the_server_itself_refuses_for_good(answer, is_refusal):
    assert answer.is_refusal is is_refusal


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_frames_are_whole_wherever_the_network_cuts(size):
    wire = (
        'event: welcome\r\ndata: {"a":"ü"}\r\n\r\n: note\nid: x:1\ndata: b\ndata:c\n\nda'.encode()
    )
    parser = FrameParser()
    frames = [frame for piece in pieces(wire, size) for frame in parser.push(piece)]
    assert [(f.event, f.id, f.data) for f in frames] == [
        ("welcome", "", '{"a":"ü"}'),
        ("message", "x:1", "b\nc"),
    ]


def event(seq):
    return {"type": "title_changed", "sessionId": SID, "seq": seq}


def shot(cursor, *, full=True, invalid=False):
    kind = {"type": "session_snapshot", "sessionId": SID, "cursor": cursor}
    return {**kind, "full": full, "cursorInvalid": invalid}


@pytest.mark.parametrize(
    ("cursor", "frame", "verdict", "after"),
    [
        (None, event(1), "deliver", 1),
        (None, event(5), "drop", None),
        (4, event(5), "deliver", 5),
        (5, event(5), "drop", 5),
        (3, event(5), "gap", 3),
        (3, {"type": "replay_skipped", "sessionId": SID, "from": 4, "to": 9}, "deliver", 3),
        (9, {"type": "replay_skipped", "sessionId": SID, "from": 4, "to": 9}, "drop", 9),
        (2, {"type": "replay_skipped", "sessionId": SID, "from": 4, "to": 9}, "drop", 2),
        (None, {"type": "replay_skipped", "sessionId": SID, "from": 4, "to": 9}, "drop", None),
        (None, shot(7), "deliver", 7),
        (None, shot(7, full=False), "drop", None),
        (7, shot(7, full=False), "deliver", 7),
        (3, shot(7, full=False), "gap", 3),
        (3, shot(7), "gap", 3),
        (9, shot(7), "drop", 9),
        (9, shot(7, invalid=True), "deliver", 7),
    ],
)
def test_each_frame_has_one_verdict(cursor, frame, verdict, after):
    cursors = Cursors()
    cursors.track(SID, cursor)
    assert cursors.accept(frame) is Verdict(verdict)
    assert cursors.get(SID) == after


def test_a_full_snapshot_ahead_is_taken_behind_its_skip_alone():
    cursors = Cursors()
    cursors.track(SID, 3)
    skip = {"type": "replay_skipped", "sessionId": SID, "from": 4, "to": 9}
    assert cursors.accept(skip) is Verdict.DELIVER
    assert cursors.accept(skip) is Verdict.DROP
    assert cursors.accept(shot(10)) is Verdict.GAP
    assert cursors.accept(shot(9)) is Verdict.DELIVER
    assert cursors.get(SID) == 9
    assert cursors.accept(shot(12)) is Verdict.GAP


def test_frames_of_a_session_that_is_not_watched_are_dropped():
    assert Cursors().accept(event(1)) is Verdict.DROP


class Fixed(Random):
    """No chance: always the same."""

    def __init__(self, always):
        super().__init__()
        self.random = lambda: always


def test_backoff_doubles_to_half_a_minute_and_is_never_less_than_half_of_it():
    assert [backoff_s(n, Fixed(1.0)) for n in (0, 1, 2, 6, 50)] == [0.5, 1, 2, 30, 30]
    assert [backoff_s(n, Fixed(0.0)) for n in (0, 1, 2, 6, 50)] == [0.25, 0.5, 1, 15, 15]
    assert retry_after_s("3") == 3
    assert retry_after_s("Mon, 23 Nov 2020 08:00:00 GMT") == 0
    assert retry_after_s("soon") == 0


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
        Answer(503, {"code": "server_error"}),
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
    refusal = Answer(413, {"code": "prompt_too_large", "error": "Too large."})
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
        Answer(404, {"code": "unknown_connection"}),
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
    async with outbox_with(Answer(401, {"code": "unauthenticated"})) as (outbox, command):
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
