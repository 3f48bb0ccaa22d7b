"""Titles, modes, settings that an agent tells: a few at once, then the last of the others.

A session has one title and one mode, so of many the last one counts; an agent that changes its
title with every word would fill the log with them, in a turn or between two.
"""

from __future__ import annotations

from collections import Counter

from sessions.agents.port import (
    AgentNotice,
    CommandsOffered,
    ContextFill,
    ModeChanged,
    OptionsOffered,
    TitleChanged,
)

# Of each kind between two settlements; agents that mean well need one or two.
AT_ONCE = 10

Announcement = (
    ModeChanged | TitleChanged | ContextFill | OptionsOffered | CommandsOffered | AgentNotice
)


class Announcements:
    """The announcements of one agent until `settled`: from a turn's begin or end to the next."""

    def __init__(self) -> None:
        self._told: Counter[type] = Counter()
        self._held: dict[type, Announcement] = {}

    def is_due(self, said: Announcement) -> bool:
        """Return whether to tell it now; else it is held, in place of the last one that was."""
        kind = type(said)
        if self._told[kind] < AT_ONCE:
            self._told[kind] += 1
            return True
        self._held[kind] = said
        return False

    def settled(self) -> list[Announcement]:
        """Return the announcements that were held, and begin again."""
        held = list(self._held.values())
        self._held.clear()
        self._told.clear()
        return held
