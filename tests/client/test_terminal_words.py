"""The words of the terminal for chats, searches, projects, worktrees, settings and changes."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

from lab.rig.waiting import eventually
from tests.client.sitting import Sitting, sitting
from tests.db.test_worktrees import commit, git
from transport.terminal import words


async def turns(one: Sitting, count: int) -> None:
    """Wait until so many turns of the session have ended."""
    await asyncio.to_thread(eventually, lambda: len(one.log("turn_end")) >= count)


async def test_a_chat_is_found_set_named_put_away_and_deleted(make_server):
    async with sitting(make_server()) as one:
        one.types("/slow 2 about the roof")
        await turns(one, 1)
        one.types(":search roof", ":hit 1")
        await one.shows("[roof]")
        await one.shows("> /slow 2 about the roof")
        one.types(":find nothing-like-it")
        await one.shows("Nothing was found.")
        one.types(":option capitals maybe", ":option capitals on", ":option pace nonsense")
        await one.shows("This option is on or off.")
        await one.shows("[capitals: on, by alice]")
        await one.shows("! ")
        one.types(":commands", ":mode", ":wait 0", ":rules", ":agents")
        await one.shows("/run command: ")
        await one.shows("* ask: ")
        await one.shows("There is no rule: :a NUMBER makes one.")
        await one.shows("demo: ")
        one.types(":name")
        await one.shows("[named “Word1 word2”]")  # the prompt is a command
        one.types(":rename Mend the roof", ":draft half a thought", ":pin")
        await one.shows("[title: Mend the roof]")
        await one.shows("[pinned]")
        one.types(":draft", ":status", ":sessions")
        await one.shows("half a thought")
        await one.shows("  title: Mend the roof")
        await one.shows("  1 Mend the roof (idle, pinned")
        one.types(":archive", ":archived")
        await one.shows("  1 Mend the roof")
        one.types(":restore 1", ":delete")
        await one.shows("This removes “Mend the roof”")
        one.types(f":delete {one.session[:8]}")
        await one.shows("[deleted]")
        one.types(":archived", ":status")
        await one.shows("No session is archived.")
        await one.shows("No session is open.")


async def test_a_project_a_worktree_and_the_changes_in_it(make_server, tmp_path: Path):
    shop = tmp_path / "shop"
    shop.mkdir()
    git(shop, "init", "-q", "-b", "main")
    commit(shop, "README.md", "# The shop\n")
    server = make_server(environment={"CHAT_WORKSPACE_ROOTS": str(tmp_path)})
    server.data.call("create_user", name="alice", staff=True)
    async with sitting(server) as one:
        one.types(":projects")
        await one.shows("There is no project yet")
        with server.client("alice") as client:
            client.post("/api/projects", json={"folder": str(shop)}).raise_for_status()
        one.types(":project shop", ":branch mend")
        await one.shows("[the next prompt begins a chat in a worktree]")
        one.types("/edit a line")
        await one.shows("a worktree")
        await one.shows("  :1 Allow once")
        one.types(":1")
        await one.shows("I added a line to demo-notes.txt.")
        one.types(":ls", ":cat README.md", ":changes", ":discard 1", ":diff 1")
        await one.shows("  README.md  ")
        await one.shows("# The shop")
        await one.shows("  1 demo-notes.txt +1 -0 (new)")
        await one.shows("Look at its changes first: :diff 1")
        await one.shows("  | +a line")
        one.types(":stage 1", ":commit Note it")
        await one.shows("Note it")
        one.types(":worktree")
        await one.shows("  only here: ")
        one.types(":worktree merge")
        await one.shows("merged")
    assert (shop / "demo-notes.txt").read_text() == "a line\n"


def test_the_help_has_every_word():
    desk: Any = None
    known = {word for act in words.ACTS for word in act(desk).words}
    assert len(known) > 50
    assert known - set(re.findall(r":\w+", words.HELP)) == set()
