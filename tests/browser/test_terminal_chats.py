"""Chats from the terminal: one is chosen in the new chat, drawn, continued, and led back."""

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.agents.test_odd_agents import ODD
from tests.browser.chat import Chat
from tests.browser.conftest import make_server  # noqa: F401 (a fixture)
from tests.support.presets import NO_PRESETS

PHONE = {"width": 390, "height": 844}
LONG_AGO = "2026-01-02T03:04:05.000Z"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A folder in which the agent has three chats, one of them written a moment ago."""
    folder = tmp_path / "home" / "shop"
    folder.mkdir(parents=True)
    now = datetime.now(UTC).isoformat()
    chats = [
        {"sessionId": "a", "title": "Mend the roof", "updatedAt": LONG_AGO},
        {"sessionId": "b", "title": "Just now", "updatedAt": now},
        {"sessionId": "gone", "title": "Lost", "updatedAt": "2026-01-01T00:00:00Z"},
    ]
    rows = [{"cwd": str(folder), **chat} for chat in chats]
    (folder / "chats").write_text(json.dumps(rows))
    return folder


@pytest.fixture
def owner_server(make_server, shop: Path):  # noqa: F811
    """A server with a single account whose first agent has chats in a folder."""
    command = json.dumps([sys.executable, str(ODD), "HasChats"])
    agents = shop.parent / "agents.toml"
    agents.write_text(
        f"{NO_PRESETS}[agents.odd]\nlabel = 'Odd'\n"
        f"command = {command}\nterminal = ['odd', '-r', '{{id}}']\n"
    )
    environment = {"HOME": str(shop.parent), "CHAT_AGENTS_FILE": str(agents)}
    return make_server(environment=environment)


async def look(page: Page, name: str) -> None:
    """Keep a picture where a person asked for some."""
    if folder := os.environ.get("BACKSTAY_PICTURES"):
        await page.screenshot(path=f"{folder}/{name}.png")


class Terminal:
    """The page of the owner, and its dialog of chats from the terminal."""

    def __init__(self, chat: Chat) -> None:
        page = self.page = chat.page
        self.chat = chat
        self.button = page.get_by_role("button", name="Chats from the terminal")
        self.dialog = page.get_by_role("dialog", name="Chats from the terminal")
        self.rows = self.dialog.locator(".folder-row")
        self.transcript = page.locator("#transcript")

    async def choose(self, folder: Path) -> None:
        """Open the dialog before a folder is chosen, and again after that."""
        await self.chat.open()
        await self.button.click()
        await expect(self.dialog).to_contain_text("Choose a folder first")
        await self.dialog.get_by_role("button", name="Close").click()
        await self.page.locator("#folder").fill(str(folder))
        await self.button.click()
        names = self.rows.locator(".folder-name")
        await expect(names).to_have_text(["Just now", "Mend the roof", "Lost"])
        await expect(self.rows.first).to_contain_text("in a terminal")
        await expect(self.rows.first).to_be_focused()
        await look(self.page, "list")

    async def read_the_past(self) -> None:
        """See the messages that were imported."""
        chat = self.chat
        await expect(chat.answers).to_have_count(2)
        await expect(chat.deliveries).to_have_text(["Imported", "Imported"])
        said = [text for _, text in await chat.transcript()]
        assert said[:4] == ["Fix the roof", "I have a ladder.", "And the door", said[3]]
        assert said[3].startswith("It has a handle")
        await expect(chat.answers.first.locator("strong")).to_have_text("ladder")
        await expect(self.transcript).to_contain_text("said outside of Backstay")
        await look(self.page, "imported")

    async def find_the_way_back(self, command: str) -> None:
        """Open the command for a terminal."""
        page = self.page
        await page.locator("#open-menu").click()
        await page.get_by_role("button", name="Continue in a terminal").click()
        back = page.get_by_role("dialog", name="Continue in a terminal")
        await expect(back.locator("code")).to_have_text(command)
        await expect(back).to_contain_text("still runs here")
        await expect(back.get_by_role("button", name="Copy the command")).to_be_visible()
        await look(page, "command")
        await back.get_by_role("button", name="Close").click()
        await expect(back).to_have_count(0)


async def test_a_chat_of_the_terminal_continues_here_and_leads_back(
    page: Page, owner_server, shop: Path
) -> None:
    chat = await Chat.of(page, owner_server, "owner")
    terminal = Terminal(chat)
    await terminal.choose(shop)
    await terminal.rows.nth(1).click()
    first = await chat.in_session()
    await terminal.read_the_past()
    await chat.send("go on")
    await expect(chat.deliveries.last).to_have_text("Answered")
    await expect(chat.last_answer()).to_have_text("still a")
    await expect(chat.prompts).to_have_count(3)
    await terminal.find_the_way_back(f"cd {shop} && odd -r a")

    # A second import of it, on a phone, leads to the same chat.
    await page.set_viewport_size(PHONE)
    await chat.open()
    await terminal.button.click()
    await expect(terminal.rows.nth(1)).to_contain_text("here already")
    await look(page, "list-phone")
    await terminal.rows.nth(1).click()
    await page.wait_for_url(f"**/s/{first}")

    # One that a terminal writes is shown, and takes no prompt.
    now = datetime.now(UTC).isoformat()
    chats = json.loads((shop / "chats").read_text())
    (shop / "chats").write_text(json.dumps([{**each, "updatedAt": now} for each in chats]))
    await chat.open()
    await terminal.button.click()
    await terminal.dialog.get_by_text("Just now").click()
    await expect(terminal.transcript).to_contain_text("open in a terminal")
    bar = page.locator(".elsewhere")
    await expect(bar).to_contain_text("open in a terminal")
    await expect(chat.prompt).to_be_disabled()
    assert await chat.overflow_px() == 0
    await look(page, "read-only-phone")

    # Closed there, it is continued here; so it is after a reload in between.
    await page.reload()
    await expect(bar).to_be_visible()
    owner_server.data.call("age_import", session=chat.session)
    await bar.get_by_role("button", name="Check again").click()
    await expect(bar).to_be_hidden()
    await expect(chat.prompt).to_be_enabled()
    await chat.send("go on")
    await expect(chat.deliveries.last).to_have_text("Answered")
