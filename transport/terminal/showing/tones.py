"""Lines that say how they are drawn. A line without a tone is plain."""

from __future__ import annotations

from typing import Final, Self

from sessions.text.asking import Alarm

# The parameters of the terminal's colours; none of them carries a meaning alone.
CODES: Final = {
    "added": "32",
    "alarm": "1;31",
    "asks": "1;33",
    "person": "1;36",
    "quiet": "2",
    "removed": "31",
    "title": "1",
}


class Toned(str):
    """A line in one of the tones."""

    __slots__ = ("tone",)
    tone: str

    def __new__(cls, tone: str, text: str) -> Self:
        """Return the line in its tone."""
        line = super().__new__(cls, text)
        line.tone = tone
        return line


class Prose(str):
    """Markdown of an agent, drawn where the terminal can."""

    __slots__ = ()


def tone_of(line: str) -> str:
    """Return the tone of a line; "" for a plain one."""
    if isinstance(line, Alarm):
        return "alarm"
    return line.tone if isinstance(line, Toned) else ""


def quiet(text: str) -> Toned:
    """Return a line about the chat, as the page's quiet lines are."""
    return Toned("quiet", f"[{text}]")
