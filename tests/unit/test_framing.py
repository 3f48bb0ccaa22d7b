"""Messages come out whole and in order however the pipe cuts them; the rest is told or forgiven."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.agents.acp.framing import MAX_STRAY_LINES, BrokenProtocol, MessageReader


async def read(*chunks: bytes, **kwargs: int) -> list[object]:
    stream = asyncio.StreamReader()
    for chunk in chunks:
        stream.feed_data(chunk)
    stream.feed_eof()
    reader = MessageReader(stream, **kwargs)
    messages: list[object] = []
    while (message := await reader.next()) is not None:
        messages.append(message)
    return messages


@given(
    messages=st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=20)), max_size=8),
    cut=st.integers(1, 7),
)
async def test_messages_survive_any_cut(messages, cut):
    data = b"".join(json.dumps(message).encode() + b"\n" for message in messages)
    stream = asyncio.StreamReader()
    reader = MessageReader(stream)
    got: list[object] = []

    async def take() -> None:
        while (message := await reader.next()) is not None:
            got.append(message)

    taking = asyncio.create_task(take())
    for at in range(0, len(data), cut):
        stream.feed_data(data[at : at + cut])
        await asyncio.sleep(0)
    stream.feed_eof()
    await taking
    assert got == messages


async def test_a_few_lines_of_text_are_forgiven():
    assert await read(b'hello\n\n\x1b[33mwarning\x1b[0m\n{"a":1}\n[1]\n{"b":2}\n') == [
        {"a": 1},
        {"b": 2},
    ]


async def test_many_lines_of_text_are_not():
    with pytest.raises(BrokenProtocol, match="still working"):
        await read(b"still working\n" * (MAX_STRAY_LINES + 1))


@pytest.mark.parametrize("line", [b"\xff\xfe{}\n", b"\x00\n"], ids=["not utf-8", "nul"])
async def test_binary_data_is_not(line):
    with pytest.raises(BrokenProtocol, match="binary"):
        await read(line)


async def test_a_line_over_the_limit_is_told_before_it_ends():
    with pytest.raises(BrokenProtocol, match="one line"):
        await read(b"x" * 101, max_line_bytes=100)


async def test_a_line_at_the_limit_is_taken():
    line = json.dumps({"a": "x" * 91}).encode()
    assert len(line) == 100
    assert await read(line + b"\n", max_line_bytes=100) == [{"a": "x" * 91}]


async def test_deep_nesting_is_a_stray_line():
    assert await read(b'{"a":' + b"[" * 100_000 + b'\n{"b":1}\n') == [{"b": 1}]
