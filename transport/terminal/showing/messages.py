"""Messages of a snapshot or a page, as lines. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sessions.text.asking import inset, one_line
from transport.terminal.showing.lines import QUIET, again_lines, attached_lines, found_lines
from transport.terminal.showing.tones import Prose, Toned, quiet

Json = Mapping[str, Any]


def message_lines(message: Json) -> Iterator[str]:
    """Yield a message: what a person wrote, or the texts and tools of an answer, or a notice."""
    if message.get("rewound"):
        yield quiet("taken back")
    if message["role"] == "user":
        yield Toned("person", f"> {message['text']}")
        yield from attached_lines(message)
    elif message["role"] == "notice":
        is_quiet = message["code"] in QUIET | {"restored"}
        yield quiet(inset(message["text"])) if is_quiet else f"! {inset(message['text'])}"
        yield from again_lines(message["code"])
    else:
        for block in message["blocks"]:
            yield from _block(block)


def _block(block: Json) -> Iterator[str]:
    if block["blockType"] in {"text", "plan"}:
        yield Prose(block["content"])
    elif block["blockType"] == "tool_use":
        name, title = one_line(block["toolName"] or "tool"), one_line(block["content"])
        of = "of a subagent: " if block.get("parentToolId") else ""
        yield Toned("title", f"[{of}{name}] {title if title != name else ''}".rstrip())
        if block["status"]:
            yield Toned("quiet", f"  [{one_line(block['status'])}]")
        yield from found_lines(block)
