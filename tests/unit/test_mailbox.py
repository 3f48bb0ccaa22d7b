"""Updates keep their order, merge while they wait, and never pile up."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.agents.acp.pipe.mailbox import Mailbox
from sessions.agents.port import TextDelta, ThinkingDelta, ToolCall, ToolDone, TurnDone, Update


async def drain(mailbox: Mailbox) -> list[Update]:
    await mailbox.close()
    return [update async for update in mailbox.updates()]


async def test_neighbouring_deltas_of_one_kind_merge_and_others_do_not():
    mailbox = Mailbox()
    for update in (TextDelta("a"), TextDelta("b"), ThinkingDelta("c"), TextDelta("d")):
        await mailbox.put(update)
    assert await drain(mailbox) == [TextDelta("ab"), ThinkingDelta("c"), TextDelta("d")]


async def test_a_merged_delta_stays_small():
    mailbox = Mailbox()
    for _ in range(40):
        await mailbox.put(TextDelta("x" * 1000))
    sizes = [len(update.text) for update in await drain(mailbox) if isinstance(update, TextDelta)]
    assert sum(sizes) == 40_000
    assert max(sizes) <= 16 * 1024


@pytest.mark.parametrize(
    "full", [Mailbox(max_items=2), Mailbox(max_text_bytes=2)], ids=["items", "bytes"]
)
async def test_a_full_mailbox_makes_the_writer_wait_until_there_is_room(full: Mailbox):
    await full.put(ToolDone("c1", "completed", "x"))
    await full.put(ToolDone("c2", "completed", "x"))
    writing = asyncio.create_task(full.put(TextDelta("late")))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not writing.done()
    updates = full.updates()
    assert await anext(updates) == ToolDone("c1", "completed", "x")
    await asyncio.wait_for(writing, 1)


async def test_the_end_of_a_turn_never_waits_for_room():
    mailbox = Mailbox(max_items=1)
    await mailbox.put(TextDelta("a"))
    await asyncio.wait_for(mailbox.put_last(TurnDone("end_turn")), 1)
    assert await drain(mailbox) == [TextDelta("a"), TurnDone("end_turn")]


async def test_shedding_frees_a_waiting_writer_and_drops_its_delta_but_keeps_tools():
    mailbox = Mailbox(max_items=1)
    await mailbox.put(ToolCall("c1", "x"))
    writing = asyncio.create_task(mailbox.put(TextDelta("late")))
    await asyncio.sleep(0)
    await mailbox.shed(on=True)
    await asyncio.wait_for(writing, 1)
    await mailbox.put(ToolCall("c2", "x"))
    await asyncio.wait_for(mailbox.put(ToolCall("c3", "x")), 1)
    assert await drain(mailbox) == [ToolCall("c1", "x"), ToolCall("c2", "x")]


async def test_closing_frees_a_waiting_writer():
    mailbox = Mailbox(max_items=1)
    await mailbox.put(ToolCall("c1", "x"))
    writing = asyncio.create_task(mailbox.put(ToolCall("c2", "x")))
    await asyncio.sleep(0)
    await mailbox.close()
    await asyncio.wait_for(writing, 1)


@given(pieces=st.lists(st.tuples(st.booleans(), st.text(max_size=9)), max_size=60))
async def test_a_slow_reader_gets_every_character_in_order(pieces):
    mailbox = Mailbox(max_items=3, max_text_bytes=20)

    async def write() -> None:
        for is_text, text in pieces:
            await mailbox.put(TextDelta(text) if is_text else ThinkingDelta(text))
        await mailbox.close()

    writing = asyncio.create_task(write())
    got: list[tuple[bool, str]] = []
    async for update in mailbox.updates():
        got += [(isinstance(update, TextDelta), char) for char in update.text]
    await writing
    assert got == [(is_text, char) for is_text, text in pieces for char in text]
