"""Going back in a terminal: messages taken back, the undo, a fork."""

from __future__ import annotations

import asyncio

from lab.rig.waiting import eventually
from tests.client.sitting import sitting


async def test_a_terminal_goes_back_undoes_it_and_forks(server):
    async with sitting(server) as one:
        one.types("/slow 1", "/slow 2")
        await asyncio.to_thread(eventually, lambda: len(one.log("turn_end")) == 2)
        one.types(":rewind")
        await one.shows("  2 /slow 2")
        one.types(":rewind 3")
        await one.shows("There is no such prompt")
        one.types(":rewind 2")
        await one.shows("[messages were taken back by")
        await one.shows("[back: 0 files changed]")
        one.types(":undo")
        await one.shows("[messages are shown again by")
        one.types(":fork 2 beside")
        await one.shows("A worktree belongs to a folder or a project")
        one.types(":fork 2")
        await one.shows("(fork)")
        one.clear()
        one.types(":rewind")
        await one.shows("  1 /slow 1")
        assert "/slow 2" not in one.text
