"""A chat that an agent knows, and the turns of its past."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from sessions.agents.port import TextDelta, ThinkingDelta, ToolCall, ToolDone, Update

MAX_TITLE_CHARS = 200
# Of the past that is kept, the newest turns first.
MAX_PAST_CHARS = 8_000_000
# The cost of an update besides its texts.
UPDATE_CHARS = 200


@dataclass(frozen=True, slots=True)
class FoundChat:
    """A chat as its agent lists it. cwd: its folder; changed_at: seconds since the epoch."""

    agent_session_id: str
    cwd: str
    title: str = ""
    changed_at: float = 0.0


@dataclass
class PastTurn:
    """A prompt of the past, "" for none, and the updates that answered it."""

    prompt: str = ""
    said: list[Update] = field(default_factory=list)

    def size(self) -> int:
        """Return roughly how many characters it holds."""
        return len(self.prompt) + sum(map(_size, self.said))


@dataclass(frozen=True, slots=True)
class Past:
    """The turns of a chat, the oldest first. left_out: how many older ones are not among them."""

    turns: list[PastTurn]
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class ChatFiles:
    """An agent's own files of its chats.

    listed: the chats of a folder, the last changed first. place: the file of a chat in a folder.
    read: the past that a file tells.
    """

    listed: Callable[[str], list[FoundChat]]
    place: Callable[[str, str], Path | None]
    read: Callable[[Path], Past]


def newest(turns: Iterable[PastTurn]) -> Past:
    """Return the newest turns that fit into the room for a past."""
    kept: list[PastTurn] = []
    room, whole = MAX_PAST_CHARS, [turn for turn in turns if turn.prompt or turn.said]
    for turn in reversed(whole):
        room -= turn.size()
        if room < 0 and kept:
            break
        kept.append(turn)
    return Past(kept[::-1], len(whole) - len(kept))


def is_in(chat: FoundChat, cwd: str) -> bool:
    """Return whether a chat belongs to a folder, whose path is resolved."""
    return chat.cwd == cwd or os.path.realpath(chat.cwd) == cwd


def title_of(text: str) -> str:
    """Return a text as the title of a chat: one line, cut where it is long."""
    line = " ".join(text[: 4 * MAX_TITLE_CHARS].split())
    return line if len(line) <= MAX_TITLE_CHARS else line[: MAX_TITLE_CHARS - 1] + "…"


def _size(update: Update) -> int:
    match update:
        case TextDelta(text) | ThinkingDelta(text):
            return UPDATE_CHARS + len(text)
        case ToolCall(input=told, title=title):
            return UPDATE_CHARS + len(title) + len(str(told))
        case ToolDone(content=content, shown=shown):
            return UPDATE_CHARS + len(content) + shown.size()
    return UPDATE_CHARS
