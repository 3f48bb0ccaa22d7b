"""A transcript as a file: Markdown for people, JSON lines for programs; a batch at a time.

Texts are whole here. A batch has about BATCH_BYTES, whatever an agent has put into its rows.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from typing import Final, NamedTuple

from pydantic_core import to_json

from sessions.core.db import in_thread
from sessions.eventlog import store
from sessions.eventlog.bounded import messages
from sessions.eventlog.events import StopReason, timestamp
from sessions.eventlog.folding import rewinding
from sessions.eventlog.shapes import Block, Message, NoticeMessage, UserMessage
from sessions.models import Session
from sessions.reading.below import below

CONTENT_TYPES: Final = {"md": "text/markdown; charset=utf-8", "jsonl": "application/x-ndjson"}
# Tool results can be whole files; the log (jsonl) has them in full.
MAX_TOOL_CHARS: Final = 4_000
# Rows and bytes that are read at once; one row may be larger.
BATCH_ROWS: Final = 100
BATCH_BYTES: Final = 1024 * 1024
_SPEAKERS: Final = {"user": "You", "assistant": "Agent", "notice": "Notice"}


def file_name(session: Session, form: str) -> str:
    """Return an ASCII file name: the title where it has letters, else the session's id."""
    words = re.findall(r"[A-Za-z0-9]+", session.title)
    return f"{'-'.join(words)[:60].strip('-') or session.pk}.{form}"


class _Place(NamedTuple):
    """The place that an export has come to: the last seq, and the bytes of the batch behind it."""

    after: int
    offset: int


class _Batch(NamedTuple):
    """A batch in parts, which are not copied together: a long text is a part of its own."""

    last_seq: int
    parts: list[bytes]


_Maker = Callable[[Session, int], _Batch | None]


async def stream(session: Session, form: str) -> AsyncIterator[bytes]:
    """Yield the file in pieces of BATCH_BYTES; at any time no more than one is in memory.

    A batch that is larger is made again for each of its pieces.
    """
    make: _Maker = _lines if form == "jsonl" else _transcript
    if form != "jsonl":
        yield _heading(session)
    place: _Place | None = _Place(0, 0)
    while place is not None:
        place, piece = await in_thread(_piece, make, session, place)
        yield piece


def _piece(make: _Maker, session: Session, place: _Place) -> tuple[_Place | None, bytes]:
    """Return the piece at a place and the place behind it; None at the end."""
    made = make(session, place.after)
    if made is None:
        return None, b""
    end = place.offset + BATCH_BYTES
    is_last = end >= sum(map(len, made.parts))
    following = _Place(made.last_seq, 0) if is_last else _Place(place.after, end)
    return following, b"".join(_cut_out(made.parts, place.offset, end))


def _cut_out(parts: list[bytes], begin: int, end: int) -> Iterator[bytes]:
    """Yield the bytes begin..end of parts that follow one another."""
    at = 0
    for part in parts:
        yield part[max(0, begin - at) : max(0, end - at)]
        at += len(part)


def _lines(session: Session, after: int) -> _Batch | None:
    """Return the next events as lines; None at the end."""
    batches = store.batches(
        session.pk, after=after, limit=BATCH_ROWS, max_bytes=BATCH_BYTES, upto=session.head_seq
    )
    with closing(batches):
        batch = next(batches, None)
        if batch is None:
            return None
        lines = [part for event in batch for part in (to_json(event.envelope()), b"\n")]
        return _Batch(batch[-1].seq, lines)


def _transcript(session: Session, after: int) -> _Batch | None:
    """Return the next finished messages as Markdown; None at the end."""
    batches = messages.batches(session.pk, after=after, upto=session.head_seq, limit=BATCH_ROWS)
    with closing(batches):
        batch = next(batches, None)
        if batch is None:
            return None
        rewinds = session.live.get("rewinds", [])
        shown = (rewinding.marked(message, rewinds) for message in batch)
        parts = [part.encode() for message in shown for part in _message(message)]
        return _Batch(batch[-1]["seq"], parts)


def _heading(session: Session) -> bytes:
    return (
        f"# {_one_line(session.title) or 'Session'}\n\n"
        f"Agent {session.agent}, begun {timestamp(session.created_at)}, "
        f"session {session.pk}, up to event {session.head_seq}.\n"
    ).encode()


def _message(message: Message) -> Iterator[str]:
    """Yield a message in parts: a long text is not copied."""
    back = " · taken back" if message.get("rewound") else ""
    # The time of an import is not the time at which it was said.
    when = "imported" if message.get("imported") else message["ts"]
    yield f"\n## {_SPEAKERS[message['role']]} · {when}{back}\n\n"
    if message["role"] != "assistant":
        yield from (*below(message["text"]), "\n", _outcome(message))
        return
    for number, block in enumerate(message["blocks"]):
        yield "\n" if number else ""
        yield from _block(block)


def _outcome(message: UserMessage | NoticeMessage) -> str:
    if message["role"] != "user":
        return ""
    reason, error = message["stopReason"], message["error"]
    if reason in (None, StopReason.END_TURN):
        return ""
    return f"\n*{reason}{f': {_one_line(error)}' if error else ''}*\n"


def _block(block: Block) -> Iterator[str]:
    if block["blockType"] == "text":
        yield from below(block["content"])
        yield "\n"
    elif block["blockType"] == "tool_use":
        yield _tool(block)
    else:
        yield f"> *{block['blockType'].capitalize()}*\n>\n"
        yield from (f"{f'> {line}'.rstrip()}\n" for line in block["content"].splitlines())


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
