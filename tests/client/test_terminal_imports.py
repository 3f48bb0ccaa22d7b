"""The terminal client continues a chat that began outside of Backstay, and tells the way back."""

import json
import sys
from pathlib import Path

from tests.agents.test_odd_agents import ODD
from tests.client.sitting import sitting
from tests.support.presets import NO_PRESETS


async def test_a_chat_from_elsewhere_is_listed_imported_and_led_back(make_server, tmp_path: Path):
    folder = tmp_path / "shop"
    folder.mkdir()
    (tmp_path / "empty").mkdir()
    when = "2026-01-02T03:04:05Z"
    chats = [
        {"sessionId": "a", "title": "Mend \x1b[31mthe roof", "cwd": str(folder), "updatedAt": when},
        {"sessionId": "gone", "title": "Lost", "cwd": str(folder), "updatedAt": None},
    ]
    (folder / "chats").write_text(json.dumps(chats))
    command = json.dumps([sys.executable, str(ODD), "HasChats"])
    agents = tmp_path / "agents.toml"
    agents.write_text(
        f"{NO_PRESETS}[agents.odd]\ncommand = {command}\nterminal = ['odd', '-r', '{{id}}']\n"
    )
    environment = {"CHAT_AGENTS_FILE": str(agents), "CHAT_WORKSPACE_ROOTS": str(tmp_path)}
    server = make_server(environment=environment)
    server.data.call("create_user", name="alice", staff=True)
    async with sitting(server, agent="odd") as one:
        one.types(":import 1")
        await one.shows("There is no such chat: see :chats.")
        one.types(f":chats {tmp_path}/empty")
        await one.shows("The agent has no chats in this folder.")
        one.types(f":chats {folder}")
        await one.shows("  2 Lost ()")
        assert "\x1b" not in one.text
        assert "the roof (2026-01-02)" in one.text
        one.types(":import 1")
        await one.shows("It has a handle")
        one.types(":terminal")
        await one.shows(f"cd {folder} && odd -r a")
        one.clear()
        one.types("go on")
        await one.shows("still a")
        one.types(f":chats {folder}")
        await one.shows("(2026-01-02, here already)")
