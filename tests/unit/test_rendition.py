"""The HTML of an open answer, beside the log: what goes in front of which event."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from sessions.eventlog.events import LoggedEvent
from sessions.text.growing import render
from transport.live import rendition as rendition_module
from transport.live.rendition import Rendition

SESSION = uuid4()
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Answer:
    """The log of one answer, as a channel passes it on; says what the frames tell."""

    def __init__(self, before: str = "") -> None:
        self.seq = 10 if before else 0
        self.before = before
        self.rendition = Rendition(SESSION, run=self.run)

    async def run(self, work: Any, *arguments: Any) -> Any:
        if work is rendition_module.snapshot.current:
            block = {"blockId": "b", "blockType": "text", "content": self.before}
            return 10, {"blocks": [block]}
        return work(*arguments)

    def event(self, kind: str, **payload: Any) -> list[dict[str, Any]]:
        self.seq += 1
        payload = {"messageId": "m", "blockId": "b"} | payload
        frames = self.rendition.take([LoggedEvent(SESSION, self.seq, kind, NOW, payload)])
        return told(frames)

    async def say(self, delta: str) -> list[dict[str, Any]]:
        """Send a delta; return the frames in front of the event after it."""
        frames = self.event("block_delta", delta=delta)
        task = self.rendition._task
        if task is not None:
            await task
        return frames


def told(frames: bytes) -> list[dict[str, Any]]:
    return [json.loads(frame.removeprefix(b"data: ")) for frame in frames.split(b"\n\n") if frame]


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendition_module, "PAUSE_S", 0)


async def test_settled_blocks_go_in_front_of_the_next_event() -> None:
    answer = Answer()
    assert answer.event("block_start", blockType="text") == []
    assert await answer.say("# \U0001f600\n\nfirst *one*\n") == []
    (heading,) = await answer.say("\nsecond\n")
    assert (heading["from"], heading["to"]) == (0, 5)  # UTF-16 units: an emoji is two
    assert heading["html"] == "<h3>\U0001f600</h3>\n"
    (first,) = answer.event("block_delta", delta="more")
    assert first["from"] == 5
    assert first["html"] == "<p>first <em>one</em></p>\n"


async def test_a_reader_who_has_caught_up_gets_the_whole_and_then_what_follows() -> None:
    answer = Answer()
    answer.event("block_start", blockType="text")
    await answer.say("one\n\ntwo\n\n")
    await answer.say("three\n\n")
    (whole,) = told(answer.rendition.whole())
    assert whole["from"] == 0
    assert whole["html"] == "<p>one</p>\n<p>two</p>\n"
    (*_, last) = answer.event("block_delta", delta="four\n")
    assert last["to"] == whole["to"]


async def test_readers_who_come_in_the_middle_get_the_beginning_from_the_log() -> None:
    answer = Answer(before="begun *before*\n\nand ")
    assert await answer.say("here\n\nthere\n") == []
    (frame,) = answer.event("block_delta", delta="x")
    assert frame["from"] == 0
    assert frame["html"] == "<p>begun <em>before</em></p>\n<p>and here</p>\n"


async def test_an_ended_block_has_its_final_html_in_the_log() -> None:
    answer = Answer()
    answer.event("block_start", blockType="text")
    await answer.say("one\n\ntwo\n")
    assert answer.event("block_end", content="one\n\ntwo\n", html="…") == []
    assert answer.rendition.whole() == b""


async def test_thinking_is_not_rendered() -> None:
    answer = Answer()
    answer.event("block_start", blockType="thinking")
    await answer.say("one\n\ntwo\n")
    assert answer.event("block_end", content="one\n\ntwo\n") == []


async def test_events_that_were_left_out_are_read_again_from_the_log() -> None:
    answer = Answer(before="one\n\ntwo\n")
    answer.seq = 0
    answer.event("block_start", blockType="text")
    await answer.say("one\n")
    answer.rendition.forget()
    answer.seq = 10
    await answer.say("\nthree\n")
    (frame,) = answer.event("block_delta", delta="x")
    assert frame["from"] == 0
    assert frame["html"] == "<p>one</p>\n<p>two</p>\n"


async def test_what_was_told_is_the_beginning_of_the_final_html() -> None:
    text = (
        "# A\n\npara *em*\n\n- a\n- b\n\n```py\nx = 1\n```\n\n| a | b |\n|-|-|\n| 1 | 2 |\n\nend\n"
    )
    answer = Answer()
    answer.event("block_start", blockType="text")
    frames: list[dict[str, Any]] = []
    for line in text.splitlines(keepends=True):
        frames += await answer.say(line)
    html = "".join(frame["html"] for frame in frames)
    assert html.count("<") > 10
    assert render(text).startswith(html)


async def test_a_failure_shows_the_raw_text_and_is_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = Answer()

    async def fail(*_: Any) -> None:
        raise OSError("no thread")

    monkeypatch.setattr(answer.rendition, "_run", fail)
    answer.event("block_start", blockType="text")
    await answer.say("one\n\ntwo\n")
    assert "cannot render" in caplog.text
    assert await asyncio.wait_for(answer.say("three\n\n"), 5) == []
    assert answer.rendition.whole() == b""
