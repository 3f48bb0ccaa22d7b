"""Messages come out whole and in order however the pipe cuts them; the rest is told or forgiven."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.agents.acp.pipe.framing import BrokenProtocol, MessageReader
from sessions.agents.acp.pipe.noise import BURST_LINES, LINES_PER_S, Flood, Noise


async def read(*chunks: bytes, **kwargs: Any) -> list[object]:
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


async def test_a_flood_of_text_is_not():
    with pytest.raises(BrokenProtocol, match=r"flood of text .*still working"):
        await read(b"still working\n" * (2 * BURST_LINES))


@pytest.mark.parametrize(
    "noise",
    [
        b"\x1b]0;title\x07",
        b"\x1b]8;;https://x.example\x1b\\link\x1b]8;;\x1b\\",
        b"\x08",
        b"\x08" * 40,
        b"\x07",
        b"\x1b[2K\r\x1b[1A",
        b"\x1b[33mwarning\x1b[0m",
        b"\x0c",
        "caf\u00e9 ouvert".encode("latin-1"),
        b"12%\r57%\r100%",
        b"plain words",
        b"42",
        b'"text"',
        b"null",
    ],
)
async def test_noise_on_a_line_of_its_own_is_forgiven(noise):
    lost: list[str] = []
    assert await read(noise + b'\n{"b":2}\n' + noise + b"\n", lost=lost.append) == [{"b": 2}]
    assert lost == []


@pytest.mark.parametrize("noise", [b"\x1b]0;title\x07", b"\x08", b"\x1b[0m\r", b"\x1b[?25h"])
async def test_a_message_behind_or_before_an_escape_is_heard(noise):
    line = b'{"jsonrpc":"2.0","method":"m"}'
    message = {"jsonrpc": "2.0", "method": "m"}
    assert await read(noise + line + b"\n" + line + noise + b"\n") == [message, message]


async def test_a_byte_order_mark_costs_no_message_and_stays_in_a_text():
    lost: list[str] = []
    read_lines = await read(b'\xef\xbb\xbf{"a":1}\n{"b":"\xef\xbb\xbf"}\n', lost=lost.append)
    assert read_lines == [{"a": 1}, {"b": "\ufeff"}]
    assert lost == []


async def test_a_line_that_was_to_be_a_message_is_told():
    lost: list[str] = []
    broken = b'{"jsonrpc":"2.0","method":\n'
    assert await read(broken + b'{"b":2}\n', lost=lost.append) == [{"b": 2}]
    assert ["method" in what for what in lost] == [True]


async def test_bytes_that_are_no_utf8_cost_their_character_alone():
    assert await read(b'{"a":"caf\xe9"}\n') == [{"a": "caf\ufffd"}]


def test_noise_is_a_matter_of_its_rate_and_not_of_a_lifetime():
    now = 0.0
    noise = Noise(clock=lambda: now)
    for _ in range(50 * BURST_LINES):
        now += 2 / LINES_PER_S
        noise.forgive(b"one line a turn")
    for _ in range(BURST_LINES - 1):
        noise.forgive(b"a burst")
    with pytest.raises(Flood, match="a burst"):
        noise.forgive(b"a burst")


def test_long_lines_of_text_are_a_flood_sooner():
    noise = Noise(clock=lambda: 0.0)
    line = b"x" * 1_000_000
    for _ in range(4):
        noise.forgive(line)
    with pytest.raises(Flood, match="flood of text"):
        noise.forgive(line)


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
