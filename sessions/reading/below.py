"""Texts inside a Markdown transcript, below the headings of their speakers. Pure.

A text of one speaker must not look like a message of another, or hide the messages behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

PIECE_CHARS: Final = 64 * 1024
# The lines that could change, or begin and end code; a long text has few of them.
_MARKED: Final = re.compile(
    r"^(?: {0,3}(?:#{1,2}(?=[ \t\r\n]|$)|`{3}|~{3}|(?:=+|-+)[ \t\r]*$"
    r"|<(?:[!?]|(?:script|pre|style|textarea)\b))|(?=[^\n]*</?h[12]\b))[^\n]*\n?",
    re.MULTILINE | re.IGNORECASE,
)
_FENCE: Final = re.compile(r" {0,3}(`{3,}(?=[^`\n]*\n?$)|~{3,})")
_HEADING: Final = re.compile(r"^ {0,3}#{1,2}(?=[ \t\r\n]|$)")
_UNDERLINE: Final = re.compile(r"^( {0,3})(?==+[ \t\r]*$|-+[ \t\r]*$)", re.MULTILINE)
# Of HTML: headings, and blocks that end where their end is written alone.
_HEADING_TAG: Final = re.compile(r"<(?=/?h[12]\b)", re.IGNORECASE)
_OPEN_BLOCK: Final = re.compile(
    r"^( {0,3})<(?=[!?]|(?:script|pre|style|textarea)\b)", re.IGNORECASE
)


def below(text: str) -> Iterator[str]:
    """Yield a text in pieces; its headings are of the third level at least, its fences closed."""
    piece: list[str] = []
    size = 0
    for part in _parts(text):
        piece.append(part)
        size += len(part)
        if size >= PIECE_CHARS:
            yield "".join(piece)
            piece, size = [], 0
    yield "".join(piece)


def _parts(text: str) -> Iterator[str]:
    """Yield the lines that change, and what stands between them."""
    fence, done = "", 0
    for match in _MARKED.finditer(text):
        line = match[0]
        marks = _FENCE.match(line)
        if fence:
            is_end = marks is not None and marks[1].startswith(fence) and not line.strip(" `~\r\n")
            fence = "" if is_end else fence
        elif marks is not None:
            fence = marks[1]
        else:
            yield from _slices(text, done, match.start())
            yield _lowered(line, _line_before(text, match.start()))
            done = match.end()
    yield from _slices(text, done, len(text))
    if fence:
        yield f"\n{fence}"


def _slices(text: str, start: int, end: int) -> Iterator[str]:
    for at in range(start, end, PIECE_CHARS):
        yield text[at : min(at + PIECE_CHARS, end)]


def _line_before(text: str, start: int) -> str:
    """Return the end of the line before a line, with all that stands in it when that is short."""
    begin = text.rfind("\n", max(0, start - PIECE_CHARS), max(0, start - 1)) + 1
    return text[begin:start]


def _lowered(line: str, before: str) -> str:
    """Return a line outside of code that is no heading of a speaker and hides nothing."""
    first = line.lstrip(" ")[:1]
    if first == "#":
        line = _HEADING.sub(lambda heading: f"{heading[0]}##", line)
    elif first in {"=", "-"} and before.strip():
        line = _UNDERLINE.sub(r"\1\\", line, count=1)
    if "<" in line:
        line = _OPEN_BLOCK.sub(r"\1&lt;", _HEADING_TAG.sub("&lt;", line))
    return line
