"""Markdown that arrives in pieces, cut into its top-level blocks as they close. Pure.

A paragraph closes at its blank line, a heading at its line end, code at its closing marks, and a
list when a line begins that does not belong to it. A cut in a wrong place costs looks, never text.
"""

from __future__ import annotations

import re
from typing import Final

# A longer block is cut at a line; code stays code behind the cut.
MAX_CHARS: Final = 16_384
_FENCE: Final = re.compile(r"[ \t>]*(`{3,}|~{3,})")
_HEADING: Final = re.compile(r" {0,3}#{1,6}(?:[ \t]|$)")
# A list, a quote, code by indentation: a blank line does not close them.
_LOOSE: Final = re.compile(r"[ \t]*(?:[-+*](?:[ \t]|$)|\d{1,9}[.)](?:[ \t]|$)|>|\[\^)|[ \t]{2,}")
# So many letters of a line tell whether it belongs to the list before it.
_TELLING: Final = 12


class GrowingBlocks:
    """One text; each block is returned once, whole."""

    def __init__(self) -> None:
        self._line = ""
        self._block: list[str] = []
        self._chars = 0
        self._fence = ""
        self._opening = ""
        self._is_loose = self._is_blank = False

    def add(self, text: str) -> list[str]:
        """Take the next piece; return the blocks that it has closed."""
        *lines, self._line = (self._line + text).split("\n")
        closed = [block for line in lines for block in self._take(line)]
        if len(self._line) >= _TELLING:
            closed += self._begins(self._line)
        if len(self._line) > MAX_CHARS:
            rest, self._line = self._line, ""
            self._keep(rest)
            closed += self._close()
        return closed

    def close(self) -> list[str]:
        """End the text; return the blocks that are left."""
        closed = self._take(self._line) if self._line else []
        self._line = ""
        return closed + self._close()

    def _take(self, line: str) -> list[str]:
        closed = self._begins(line)
        if self._fence:
            self._keep(line + "\n")
            if self._ends_code(line):
                self._fence = ""
                closed += [] if self._is_loose else self._close()
        elif not line.strip():
            self._keep(line + "\n")
            self._is_blank = True
            closed += [] if self._is_loose else self._close()
        else:
            closed += self._take_words(line)
        if self._chars > MAX_CHARS:
            closed += self._close()
            if self._fence:
                self._keep(self._opening)
        return closed

    def _take_words(self, line: str) -> list[str]:
        self._is_loose = self._is_loose or bool(_LOOSE.match(line) and not self._has_words())
        self._is_blank = False
        self._keep(line + "\n")
        if fence := _FENCE.match(line):
            self._fence, self._opening = fence.group(1), line + "\n"
        return self._close() if _HEADING.match(line) else []

    def _begins(self, line: str) -> list[str]:
        """Close a list or a quote behind which another block begins."""
        is_other = self._is_loose and self._is_blank and not self._fence and line.strip()
        return self._close() if is_other and not _LOOSE.match(line) else []

    def _ends_code(self, line: str) -> bool:
        marks = line.strip(" \t>\r")
        return len(marks) >= len(self._fence) and set(marks) == {self._fence[0]}

    def _has_words(self) -> bool:
        return any(part.strip() for part in self._block)

    def _keep(self, text: str) -> None:
        self._block.append(text)
        self._chars += len(text)

    def _close(self) -> list[str]:
        block = "".join(self._block)
        self._block, self._chars = [], 0
        self._is_loose = self._is_blank = False
        return [block] if block.strip() else []
