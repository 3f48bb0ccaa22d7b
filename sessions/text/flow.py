"""Text that arrives in pieces, made visible on its way to a terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sessions.text.visible import visible

# An emoji and its parts may come in two pieces: a joiner is judged by its neighbours.
_CONTEXT: Final = 3
_JOINERS: Final = frozenset("\u200c\u200d\ufe0e\ufe0f")


class Flow:
    """One text, written piece by piece wherever it was cut."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._before = ""
        self._held = ""
        self._at_line_start = True

    def add(self, piece: str) -> None:
        """Write a piece; joiners at its end wait for the next one."""
        text = self._held + piece
        kept = len(text)
        while kept and text[kept - 1] in _JOINERS:
            kept -= 1
        self._held = text[kept:]
        self._put(text[:kept])

    def end(self) -> None:
        """End the text, and its line."""
        held, self._held = self._held, ""
        self._put(held)
        self._before = ""
        if not self._at_line_start:
            self._write("\n")
            self._at_line_start = True

    def _put(self, text: str) -> None:
        if not text:
            return
        known = visible(self._before)
        shown = visible(self._before + text)[len(known) :]
        self._before = (self._before + text)[-_CONTEXT:]
        self._write(shown)
        self._at_line_start = shown.endswith("\n")
