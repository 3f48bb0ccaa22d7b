"""Markdown that grows: each top-level block is rendered once, when the next one has begun. Pure.

A block of Markdown is settled by the line that begins the next block; no later line changes it.
So an answer that streams is read as Markdown up to its last block, and its end changes nothing
above. A block that is too much for the parser is shown as plain text; the others are not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Final

from sessions.text import markdown

# Characters that are parsed at once; where one block fills them, up to the parser's limit.
WINDOW_CHARS: Final = 16_384
# A window that the parser refuses is halved down to this.
SMALLEST_CHARS: Final = 256
MAX_HTML_CHARS: Final = 524_288
# The parser's work for one text, as markdown.weight counts it; the rest of the text is shown as
# plain text. This much takes at most a second, and an ordinary text 0.5 s.
MAX_WORK: Final = 5 * markdown.MAX_WEIGHT
# Code is coloured up to here.
MAX_COLOURED_WORK: Final = markdown.MAX_WEIGHT // 2
# The open block is parsed again when it has grown by this part: all its parses together cost a
# multiple of one.
GROWTH: Final = 8

_LINES: Final = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
# The first line of a code block, behind blank lines.
_FENCE: Final = re.compile(r"(?:[ \t]*(?:\r\n|\r|\n))* {0,3}(`{3,}|~{3,})[^\r\n]*(?:\r\n|\r|\n)?")


@dataclass(frozen=True, slots=True)
class Piece:
    """One or more whole blocks, sanitised.

    end: the characters of the text up to here; units: the same in UTF-16, as browsers count.
    """

    end: int
    units: int
    html: str


class GrowingMarkdown:
    """One text that arrives bit by bit; the pieces of any division are those of the whole."""

    def __init__(self) -> None:
        self._end = 0
        self._units = 0
        self._tail = ""
        self._looked_at = 0
        self._references = markdown.References()
        # The marks of a code block that was too long for one piece, until its closing line.
        self._fence = ""
        self._work = 0

    @property
    def end(self) -> int:
        """Return how many characters the pieces so far cover."""
        return self._end

    def add(self, text: str) -> list[Piece]:
        """Take the next part of the text; return the pieces that it has settled."""
        self._tail += text
        if len(self._tail) - self._looked_at <= self._looked_at // GROWTH:
            return []
        whole_lines = max(self._tail.rfind("\n"), self._tail.rfind("\r", 0, -1)) + 1
        return self._settle(whole_lines, is_end=False)

    def close(self) -> list[Piece]:
        """End the text; return the pieces that are left."""
        return self._settle(len(self._tail), is_end=True)

    def _settle(self, limit: int, *, is_end: bool) -> list[Piece]:
        pieces: list[Piece] = []
        done = 0
        while done < limit:
            found = self._next(self._tail[done:limit], is_end=is_end)
            if not found:
                break
            for length, html in found:
                self._units += _units(self._tail[done : done + length])
                done += length
                pieces.append(Piece(self._end + done, self._units, html))
        self._end += done
        self._tail = self._tail[done:]
        self._looked_at = len(self._tail)
        return pieces

    def _next(self, text: str, *, is_end: bool) -> list[tuple[int, str]]:
        """Return length and HTML of the blocks that a text begins with; [] while one is open."""
        if self._work > MAX_WORK:
            return [_plain(_lines_of(text, markdown.MAX_CHARS))]
        if self._fence:
            return [self._code(text)]
        window, blocks, is_too_much = self._largest(text, WINDOW_CHARS)
        if not is_too_much and len(blocks) < 2 and len(window) < len(text):
            window, blocks, is_too_much = self._largest(text, markdown.MAX_CHARS)
            if not is_too_much and len(blocks) < 2 and len(window) < len(text):
                return [self._too_long(window)]
        if is_too_much and len(blocks) < 2:
            return self._cut(window, blocks)
        is_last = is_end and len(window) == len(text)
        return _lengths(window, blocks if is_last else blocks[:-1], is_last=is_last)

    def _largest(self, text: str, size: int) -> tuple[str, list[markdown.Block], bool]:
        """Return the largest beginning of a text up to size that the parser takes, and its blocks.

        The third value says whether more of the text would have been too much for the parser.
        """
        is_too_much = False
        while True:
            window = _lines_of(text, size)
            blocks = self._blocks(window)
            if blocks is not None or size <= SMALLEST_CHARS:
                return window, blocks or [], is_too_much
            size, is_too_much = size // 2, True

    def _cut(self, window: str, blocks: list[markdown.Block]) -> list[tuple[int, str]]:
        """Return a block that is too much for the parser, cut at a line."""
        if not blocks:
            return [_plain(window)]
        if _FENCE.match(window):
            return [self._too_long(window)]
        return _lengths(window, blocks, is_last=True)

    def _blocks(self, window: str) -> list[markdown.Block] | None:
        weight = markdown.weight(window)
        if weight > markdown.MAX_WEIGHT:
            return None
        colour_s = markdown.COLOUR_BUDGET_S if self._work < MAX_COLOURED_WORK else 0.0
        self._work += weight
        return markdown.blocks(window, self._references, colour_s=colour_s)

    def _too_long(self, window: str) -> tuple[int, str]:
        """Return a window that one block fills: code stays code up to its closing line."""
        fence = _FENCE.match(window)
        if fence is None:
            return _plain(window)
        self._fence = fence.group(1)
        return len(window), f"<pre><code>{escape(window[fence.end() :])}</code></pre>\n"

    def _code(self, text: str) -> tuple[int, str]:
        """Return the next part of a long code block, up to its closing line."""
        window = _lines_of(text, markdown.MAX_CHARS)
        mark, least = self._fence[0], len(self._fence)
        closing = re.compile(rf"^ {{0,3}}{re.escape(mark)}{{{least},}}[ \t]*$", re.MULTILINE)
        end = closing.search(window)
        if end is None:
            return len(window), f"<pre><code>{escape(window)}</code></pre>\n"
        self._fence = ""
        line = _LINES.match(window, end.start())
        stop = line.end() if line else len(window)
        return stop, f"<pre><code>{escape(window[: end.start()])}</code></pre>\n"


def render(text: str) -> str:
    """Return the sanitised HTML of a whole text, or "" where it is to be shown as plain text.

    text: any length, any content. Never raises; the result has at most MAX_HTML_CHARS.
    See docs/reference/events.md#events.
    """
    growing = GrowingMarkdown()
    html = "".join(piece.html for piece in [*growing.add(text), *growing.close()])
    return html if len(html) <= MAX_HTML_CHARS else ""


def _lines_of(text: str, size: int) -> str:
    """Return the whole lines that a text begins with, about size; a long line is cut."""
    if len(text) <= size:
        return text
    end = max(text.rfind("\n", 0, size), text.rfind("\r", 0, size - 1)) + 1
    return text[: end if end > size // 2 else size]


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _plain(window: str) -> tuple[int, str]:
    return len(window), markdown.plain(window)


def _lengths(window: str, blocks: list[markdown.Block], *, is_last: bool) -> list[tuple[int, str]]:
    """Return length and HTML of each block; the blank lines behind it belong to it."""
    starts = list(_starts(window))
    ends = [starts[block.end_line] for block in blocks]
    if is_last and not blocks:  # link definitions, or blank lines
        return [(len(window), "")]
    if is_last:
        ends[-1] = len(window)
    return [
        (end - begin, block.html)
        for begin, end, block in zip([0, *ends], ends, blocks, strict=False)
    ]


def _starts(window: str) -> Iterator[int]:
    """Yield where each line begins, and the end."""
    yield 0
    for line in _LINES.finditer(window):
        yield line.end()
