"""Every command of the terminal by its word, and the text that lists them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from transport.terminal.acts import (
    answering,
    chats,
    choosing,
    decisions,
    finding,
    going_back,
    importing,
    reading,
    ruling,
    waiting,
)
from transport.terminal.acts.work import attaching, changing, folder, projects
from transport.terminal.desk import Desk, Words


class Act(Protocol):
    """Commands of one kind."""

    @property
    def words(self) -> Words:
        """Return the commands by their words; each takes the rest of its line."""


# The terminal makes some of them itself, and keeps those for its prompts.
ACTS: Final[tuple[Callable[[Desk], Act], ...]] = (
    chats.Chats,
    finding.Finding,
    projects.Projects,
    choosing.Choosing,
    decisions.Decisions,
    answering.Answering,
    reading.Reading,
    waiting.Waiting,
    going_back.GoingBack,
    attaching.Attaching,
    folder.Folder,
    changing.Changing,
    ruling.Ruling,
    importing.Importing,
)
HELP: Final = f"""\
A line is a prompt. Lines that begin with a colon are for this program:
{chats.HELP}\
{finding.HELP}\
{projects.HELP}\
{choosing.HELP}\
{decisions.HELP}\
{answering.HELP}\
{reading.HELP}\
{waiting.HELP}\
{going_back.HELP}\
{attaching.HELP}\
{folder.HELP}\
{changing.HELP}\
{ruling.HELP}\
{importing.HELP}\
:help           this text          :quit           leave; a running answer continues
Ctrl+C          stop the answer; a second one leaves
"""


def acts_of(desk: Desk, *made: Act) -> Words:
    """Return the commands by their words. made: those that are made already."""
    kinds = {type(act) for act in made}
    words: Words = {}
    for act in [*made, *(kind(desk) for kind in ACTS if kind not in kinds)]:
        words |= act.words
    return words
