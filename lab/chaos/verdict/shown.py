"""The text of the page at the end, held against the log: I12 on the screen itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from itertools import takewhile, zip_longest
from typing import Final

from lab.chaos.evidence import Evidence, Json, Record, Violation
from lab.chaos.folding import empty, fold_all

Line = tuple[str, str]

_FENCE: Final = re.compile(r"^ {0,3}(?:`{3,}|~{3,})[^\n]*$", re.MULTILINE)


def check_shown(record: Record, evidence: Evidence) -> Iterator[Violation]:
    """With all that was skipped and all that is older loaded, the transcript is the log's."""
    for error in record.errors:
        yield Violation("page error", error, record.device)
    for session_id, lines in record.shown.items():
        session = evidence.sessions.get(session_id)
        if session is None:
            continue  # a new chat without a session
        truth = transcript(fold_all(empty(session_id), session.events)["messages"])
        what = _difference([(kind, _bare(text)) for kind, text in lines], truth)
        if what:
            yield Violation("I12", what, record.device, session_id)


def transcript(messages: Sequence[Json]) -> list[Line]:
    """Return prompts and answers as a person reads them, without white space.

    A prompt that was queued while an answer ran stands behind that answer.
    """
    prompts = {m["turnId"]: m["seq"] for m in messages if m["role"] == "user" and m["turnId"]}

    def place(message: Json) -> tuple[int, int]:
        own: int = message["seq"]
        is_answer = message["role"] == "assistant"
        return (prompts.get(message["turnId"], own) if is_answer else own, own)

    spoken = [message for message in messages if message["role"] in {"user", "assistant"}]
    return [_line(message) for message in sorted(spoken, key=place)]


def _line(message: Json) -> Line:
    if message["role"] == "user":
        return "prompt", _bare(message["text"])
    texts = [block for block in message["blocks"] if block["blockType"] == "text"]
    words = [_text_of(b["html"]) if b.get("html") else _unrendered(b["content"]) for b in texts]
    return "answer", _bare("".join(words))


def _unrendered(content: str) -> str:
    """Return a text that was not rendered as the page shows it: its code stands in a frame."""
    return _FENCE.sub("", content)


def _difference(shown: Sequence[Line], truth: Sequence[Line]) -> str:
    """Return the first place where they differ, in words; empty when they do not."""
    for place, (is_shown, should_be) in enumerate(zip_longest(shown, truth)):
        if is_shown != should_be:
            at = _parting(is_shown, should_be)
            ours, theirs = _short(is_shown, at), _short(should_be, at)
            return f"line {place} of the page is {ours}, the log has {theirs}"
    return ""


def _parting(one: Line | None, other: Line | None) -> int:
    """Return how many characters two lines have in common."""
    if one is None or other is None:
        return 0
    pairs = zip(one[1], other[1], strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _short(line: Line | None, at: int) -> str:
    """Return a line from a little before a character on."""
    if line is None:
        return "missing"
    begin = max(0, at - 20)
    return f"{line[0]} {'…' * bool(begin)}{line[1][begin : begin + 80]!r}"


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def _text_of(html: str) -> str:
    parser = _Text()
    parser.feed(html)
    parser.close()
    return "".join(parser.parts)


def _bare(text: str) -> str:
    return "".join(text.split())
