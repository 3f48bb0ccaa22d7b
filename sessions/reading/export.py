"""A transcript as a file: Markdown for people, JSON lines for programs; a batch at a time."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Final

from sessions.core.db import in_thread
from sessions.eventlog.events import StopReason, timestamp
from sessions.eventlog.shapes import Block, Message, NoticeMessage, UserMessage
from sessions.models import Session
from sessions.reading import queries

CONTENT_TYPES: Final = {"md": "text/markdown; charset=utf-8", "jsonl": "application/x-ndjson"}
# Tool results can be whole files; the log (jsonl) has them in full.
MAX_TOOL_CHARS: Final = 4_000
_SPEAKERS: Final = {"user": "You", "assistant": "Agent", "notice": "Notice"}


def file_name(session: Session, form: str) -> str:
    """Return an ASCII file name: the title where it has letters, else the session's id."""
    words = re.findall(r"[A-Za-z0-9]+", session.title)
    return f"{'-'.join(words)[:60].strip('-') or session.pk}.{form}"


async def stream(session: Session, form: str) -> AsyncIterator[str]:
    """Yield the file in pieces; at any time no more than one batch is in memory."""
    pieces = _events(session) if form == "jsonl" else _transcript(session)
    async for piece in pieces:
        yield piece


async def _events(session: Session) -> AsyncIterator[str]:
    after = 0
    while batch := await in_thread(queries.events_after, session, after):
        after = batch[-1].seq
        yield "".join(f"{json.dumps(e.envelope(), ensure_ascii=False)}\n" for e in batch)


async def _transcript(session: Session) -> AsyncIterator[str]:
    yield (
        f"# {_one_line(session.title) or 'Session'}\n\n"
        f"Agent {session.agent}, begun {timestamp(session.created_at)}, "
        f"session {session.pk}, up to event {session.head_seq}.\n"
    )
    after = 0
    while batch := await in_thread(queries.messages_after, session, after):
        after = batch[-1]["seq"]
        yield "".join(_message(message) for message in batch)


def _message(message: Message) -> str:
    head = f"\n## {_SPEAKERS[message['role']]} · {message['ts']}\n\n"
    if message["role"] != "assistant":
        return f"{head}{message['text']}\n{_outcome(message)}"
    return head + "\n".join(_block(block) for block in message["blocks"])


def _outcome(message: UserMessage | NoticeMessage) -> str:
    if message["role"] != "user":
        return ""
    reason, error = message["stopReason"], message["error"]
    if reason in (None, StopReason.END_TURN):
        return ""
    return f"\n*{reason}{f': {_one_line(error)}' if error else ''}*\n"


def _block(block: Block) -> str:
    if block["blockType"] == "text":
        return f"{block['content']}\n"
    if block["blockType"] == "tool_use":
        return _tool(block)
    name = block["blockType"].capitalize()
    quoted = "\n".join(f"> {line}".rstrip() for line in block["content"].splitlines())
    return f"> *{name}*\n>\n{quoted}\n"


def _tool(block: Block) -> str:
    title = _one_line(block["toolName"] or block["content"] or "tool")
    parts = [f"**{title}** ({block['status'] or 'no result'})\n"]
    if block["input"]:
        parts.append(_fenced(json.dumps(block["input"], ensure_ascii=False, indent=2)))
    if block["result"]:
        parts.append(_fenced(block["result"]))
    return "\n".join(parts)


def _fenced(text: str) -> str:
    if len(text) > MAX_TOOL_CHARS:
        text = f"{text[:MAX_TOOL_CHARS]}\n… {len(text) - MAX_TOOL_CHARS} more characters"
    # A fence longer than any in the text: nothing in it ends the block.
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text) or [""]))
    return f"{fence}\n{text.rstrip()}\n{fence}\n"


def _one_line(text: str) -> str:
    return " ".join(text.split())
