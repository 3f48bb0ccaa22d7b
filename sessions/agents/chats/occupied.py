"""Whether a program outside of Backstay may be writing a chat now.

Claude and Codex hold no lock and keep their file closed between two words. So a chat counts as open
in a terminal when its last change is a minute old at most and is not of ours, or when a program of
the agent runs in the chat's folder since before that change. That program may have another chat of
the folder open: the answer errs on the side of the file.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

import psutil

from sessions.agents.chats.found import FoundChat
from sessions.agents.processes import tree
from sessions.core.reserves.files import spare_files

RECENT_S: Final = 60.0
# Our own agent writes its last words a moment after the log has them.
OURS_S: Final = 10.0
# A program is named by its file, or by the script that an interpreter runs.
_NAMED_BY: Final = 2


@dataclass(frozen=True, slots=True)
class Program:
    """A running program of an agent, none of ours. began_at: seconds since the epoch."""

    words: tuple[str, ...]
    cwd: str
    began_at: float


def running(programs: Collection[str]) -> list[Program]:
    """Return the processes of some programs that no agent of ours is or has started."""
    found = []
    with spare_files.lent():
        for process in psutil.process_iter() if programs else ():
            with contextlib.suppress(psutil.Error, OSError):
                words = tuple(process.cmdline())
                names = {os.path.basename(word) for word in words[:_NAMED_BY]}  # noqa: PTH119
                if not names.isdisjoint(programs) and tree.SESSION not in process.environ():
                    found.append(Program(words, process.cwd(), process.create_time()))
    return found


def is_open(chat: FoundChat, outside: Iterable[Program], *, ours_at: float, now: float) -> bool:
    """Return whether a program outside may write a chat.

    ours_at: the time of our own last word in it, 0 for none. now: both in seconds since the epoch.
    """
    is_ours = chat.changed_at <= ours_at + OURS_S
    if not is_ours and abs(now - chat.changed_at) <= RECENT_S:
        return True
    return any(_may_write(program, chat) for program in outside)


def _may_write(program: Program, chat: FoundChat) -> bool:
    if chat.agent_session_id in program.words:
        return True
    return program.cwd == chat.cwd and program.began_at <= chat.changed_at
