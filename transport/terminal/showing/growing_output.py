"""The output of running tools: whole lines are shown as they come, the result adds the rest."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

# A line of a program that does not end is shown in parts of this size.
MAX_LINE_CHARS: Final = 8192


@dataclass(slots=True)
class _Shown:
    """The part of an output that was shown: its length and digest. tail: came, not shown yet."""

    chars: int = 0
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    tail: str = ""
    is_whole: bool = True


class GrowingOutputs:
    """The outputs of one turn, by the ids of their tools."""

    def __init__(self) -> None:
        self._shown: dict[str, _Shown] = {}

    def clear(self) -> None:
        """Forget them: the turn has ended."""
        self._shown.clear()

    def add(self, tool_id: str, piece: str, *, is_cut: bool = False) -> str:
        """Take a piece; return the lines that it has completed, without the last line end."""
        shown = self._shown.setdefault(tool_id, _Shown())
        shown.is_whole = shown.is_whole and not is_cut
        text = shown.tail + piece
        end = text.rfind("\n") + 1
        if not end and len(text) > MAX_LINE_CHARS:
            end = len(text)
        shown.tail = text[end:]
        shown.chars += end
        shown.digest.update(_bytes(text[:end]))
        return text[:end].removesuffix("\n")

    def rest(self, tool_id: str, content: str) -> str:
        """Return the part of a result that was not shown; all of it where it is another text."""
        shown = self._shown.pop(tool_id, None)
        if shown is None or not shown.is_whole:
            return content
        begin = content[: shown.chars]
        is_same = hashlib.sha256(_bytes(begin)).digest() == shown.digest.digest()
        return content[shown.chars :] if is_same else content


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
