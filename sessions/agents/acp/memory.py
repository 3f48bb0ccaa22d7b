"""The agent's sessions that a chat may resume, as one string for the chat's row.

An agent that refuses its session today may take it tomorrow. So the id of a refused session is kept
before the id of the new one, and is tried first at the next start.

The memory of a fork names the session of its origin, which is never written: the agent copies it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sessions.core.clean import clean_text

MAX_CHARS = 256  # the column of the chat's row
_BETWEEN = "\n"
_FORK = "\t"


@dataclass(frozen=True, slots=True)
class Memory:
    """Ids of the agent's sessions, the oldest first. is_fork: one to copy, of another chat."""

    session_ids: tuple[str, ...] = ()
    is_fork: bool = False

    @classmethod
    def read(cls, kept: str | None) -> Memory:
        """Return the memory that a row has kept."""
        if kept and kept.startswith(_FORK):
            return cls((kept[1:],), is_fork=True)
        return cls(tuple(kept.split(_BETWEEN)) if kept else ())

    def kept(self) -> str | None:
        """Return the memory for a row; None where no id fits."""
        fitting = [own for own in self.session_ids if fits(own)]
        while fitting and len(text := _BETWEEN.join(fitting)) > MAX_CHARS:
            del fitting[0]
        return text if fitting else None

    def after(self, session_id: str, *, resumed: bool) -> Memory:
        """Return the memory once a session is open: the refused one stays, before the open one."""
        if self.is_fork:
            return Memory((session_id,))
        if not resumed:
            return Memory((*self.session_ids[:1], session_id))
        return self if session_id == self.newest else Memory((session_id,))

    @property
    def newest(self) -> str | None:
        """The session in which the last words were said."""
        return self.session_ids[-1] if self.session_ids else None


def fits(session_id: str) -> bool:
    """Return whether an id can be kept."""
    is_clean = clean_text(session_id) == session_id and _BETWEEN not in session_id
    is_clean = is_clean and not session_id.startswith(_FORK)
    return is_clean and 0 < len(session_id) <= MAX_CHARS


def fork_of(kept: str) -> str:
    """Return the memory of a fork of a chat whose row has kept this one; "" where there is none."""
    memory = Memory.read(kept)
    text = f"{_FORK}{memory.newest}" if memory.newest else ""
    return text if len(text) <= MAX_CHARS else ""
