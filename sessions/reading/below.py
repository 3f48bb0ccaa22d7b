"""Texts inside a Markdown transcript, below the headings of their speakers. Pure.

A text of one speaker must not look like a message of another, or hide the messages behind it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Final

PIECE_CHARS: Final = 64 * 1024
# Of HTML: headings, and elements that stay open, or hide their content, until their end.
_HIDING: Final = (
    "h[12]|audio|body|canvas|details|dialog|frameset|head|html|iframe|math|noembed|noframes"
    "|noscript|object|plaintext|pre|script|select|style|svg|table|template|textarea|title|video|xmp"
)
# An element may be hidden by an attribute, also on a further line.
_TAG: Final = (
    rf"<(?=[!?]|/?(?:{_HIDING})\b|/?[a-z][^<>\n]*$"
    r"|[a-z][^<>\n]*[\s\"'/](?:hidden|inert|popover|style)\b)"
)
# A tag that is first in its line begins a block, in which no fence is one, but for these.
_OF_LINES: Final = (
    "a|abbr|b|cite|code|del|em|i|img|ins|kbd|mark|q|s|samp|small|span|strong|sub|sup|u|var"
)
_BLOCK: Final = (
    rf" {{0,3}}<(?=/?[a-z][^<>\n]*>[ \t]*$|/?(?!(?:{_OF_LINES})\b)[a-z][\w-]*(?:[\s/>]|$))"
)
# The lines that could change, or begin and end code; a long text has few of them.
_MARKED: Final = re.compile(
    r"^(?: {0,3}(?:#{1,2}(?=[ \t\n]|$)|`{3}|~{3}|(?:=+|-+)[ \t]*$)"
    rf"|(?={_BLOCK})|(?=[^<\n]*<)(?=[^\n]*{_TAG}))[^\n]*\n?",
    re.MULTILINE | re.IGNORECASE,
)
_FENCE: Final = re.compile(r" {0,3}(`{3,}(?=[^`\n]*\n?$)|~{3,})")
_HEADING: Final = re.compile(r"^ {0,3}#{1,2}(?=[ \t\n]|$)")
_UNDERLINE: Final = re.compile(r"^( {0,3})(?==+[ \t]*$|-+[ \t]*$)", re.MULTILINE)
_HIDING_TAG: Final = re.compile(_TAG, re.MULTILINE | re.IGNORECASE)
_BLOCK_TAG: Final = re.compile(rf"^{_BLOCK}", re.MULTILINE | re.IGNORECASE)
_CODE: Final = re.compile(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)")
# The text of an item of a list begins behind so many spaces at least.
_LEAST_OF_ITEMS: Final = 2
_DEDENTED: Final = {
    indent: re.compile(rf"^ {{0,{indent - 1}}}[^ \t\n]", re.MULTILINE) for indent in (2, 3)
}
_NEVER: Final = sys.maxsize
# The beginning of a paragraph that is looked at for one of its lines.
_BEGINNING_CHARS: Final = 400


def below(text: str) -> Iterator[str]:
    """Yield a text in pieces; its headings are of the third level at least, its fences closed."""
    piece: list[str] = []
    size = 0
    if "\r" in text:  # a line ends there, too
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    for part in _parts(text):
        piece.append(part)
        size += len(part)
        if size >= PIECE_CHARS:
            yield "".join(piece)
            piece, size = [], 0
    yield "".join(piece)


def _parts(text: str) -> Iterator[str]:
    """Yield the lines that change, what stands between them, and the ends that code has not."""
    fence, begin, end, done = "", "", _NEVER, 0
    dedents = _Dedents(text)
    for match in _MARKED.finditer(text):
        line = match[0]
        marks = _FENCE.match(line)
        if fence and end <= match.start():
            yield from _slices(text, done, end)
            yield f"{begin}{fence}\n"
            fence, done = "", end
        if fence:
            if marks and marks[1].startswith(fence) and not line[marks.end() :].strip(" \t\n"):
                fence = ""
        elif marks is not None:
            fence, begin = marks[1], marks[0].removesuffix(marks[1])
            end = dedents.after(match.end(), len(begin))
        else:
            yield from _slices(text, done, match.start())
            yield _lowered(line, _line_before(text, match.start()), _paragraph(text, match.start()))
            done = match.end()
    if fence and end < len(text):
        yield from _slices(text, done, end)
        yield f"{begin}{fence}\n"
        fence, done = "", end
    yield from _slices(text, done, len(text))
    if fence:
        yield f"\n{begin}{fence}"


class _Dedents:
    """The lines at which code in an item of a list would end, with the item.

    A fence of two or three spaces is one of the text or one of an item. It ends here where one of
    an item does, by a closing line which ends both, so that the reader's next state is known.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._found: dict[int, int] = {}

    def after(self, start: int, indent: int) -> int:
        """Return the start of the first line with less than so many spaces, _NEVER without one."""
        if indent < _LEAST_OF_ITEMS:
            return _NEVER
        if self._found.get(indent, -1) < start:
            line = _DEDENTED[indent].search(self._text, start)
            self._found[indent] = line.start() if line else _NEVER
        return self._found[indent]


def _slices(text: str, start: int, end: int) -> Iterator[str]:
    for at in range(start, end, PIECE_CHARS):
        yield text[at : min(at + PIECE_CHARS, end)]


def _line_before(text: str, start: int) -> str:
    """Return the end of the line before a line, with all that stands in it when that is short."""
    begin = text.rfind("\n", max(0, start - PIECE_CHARS), max(0, start - 1)) + 1
    return text[begin:start]


def _paragraph(text: str, start: int) -> str:
    """Return a paragraph up to a line, or its end when it is long."""
    begin = max(0, start - _BEGINNING_CHARS)
    return text[begin:start].rpartition("\n\n")[2]


def _lowered(line: str, before: str, paragraph: str) -> str:
    """Return a line outside of code that is no heading of a speaker and hides nothing."""
    first = line.lstrip(" ")[:1]
    if first == "#":
        line = _HEADING.sub(lambda heading: f"{heading[0]}##", line)
    elif first in {"=", "-"} and before.strip(" \t\n"):
        line = _UNDERLINE.sub(r"\1\\", line, count=1)
    if "<" in line and not (_is_plain(paragraph) and _is_code(line)):
        line = _BLOCK_TAG.sub(
            lambda tag: tag[0].replace("<", "&lt;"), _HIDING_TAG.sub("&lt;", line)
        )
    return line


def _is_code(line: str) -> bool:
    """Return whether every tag of a line, the first of its paragraph with any, stands in code."""
    return len(line) < _BEGINNING_CHARS and _is_plain(_CODE.sub("", line))


def _is_plain(text: str) -> bool:
    """Return whether no code and no tag can begin or end in a text, nor a cell of a table."""
    return len(text) < _BEGINNING_CHARS and not set("`<|\\") & set(text)
