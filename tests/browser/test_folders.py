"""Choosing the folder of a new chat: from the folders of the server, on a desktop and a phone."""

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.chat import Chat
from tests.browser.conftest import make_server  # noqa: F401 (a fixture)

PHONE = {"width": 390, "height": 844}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder with a repository and a plain folder."""
    made = tmp_path / "home"
    (made / "shop" / ".git").mkdir(parents=True)
    (made / "shop" / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (made / "notes" / "deep").mkdir(parents=True)
    return made


@pytest.fixture
def owner_server(make_server, home: Path):  # noqa: F811
    """A server with a single account and no setting for folders."""
    return make_server(environment={"HOME": str(home)})


async def test_the_owner_picks_a_repository_and_the_agent_works_there(
    page: Page, owner_server, home: Path
) -> None:
    chat = await Chat.of(page, owner_server, "owner")
    await chat.open()
    await page.get_by_role("button", name="Choose folder").click()
    rows = page.locator(".folder-row")
    await expect(rows).to_have_text(["shopmain", "notes"])
    await rows.first.click()
    await expect(page.locator("#folder-place")).to_have_text(str(home / "shop"))
    await page.get_by_role("button", name="Use this folder").click()
    await expect(page.locator("#folder")).to_have_value(str(home / "shop"))
    await expect(chat.prompt).to_be_focused()
    await chat.send("/run pwd")
    await page.get_by_role("button", name="Allow once").click()
    await expect(chat.deliveries).to_have_text("Answered")
    (created,) = [e for e in chat.log() if e["type"] == "session_created"]
    assert created["cwd"] == str(home / "shop")
    (result,) = [e for e in chat.log() if e["type"] == "tool_result"]
    assert str(home / "shop") in result["content"]


async def test_a_folder_is_made_by_keyboard_on_a_phone(
    page: Page, owner_server, home: Path
) -> None:
    await page.set_viewport_size(PHONE)
    chat = await Chat.of(page, owner_server, "owner")
    await chat.open()
    await page.get_by_role("button", name="Choose folder").press("Enter")
    await page.get_by_role("button", name="notes").press("Enter")
    await expect(page.locator(".folder-row")).to_have_text(["↑ Up", "deep"])
    await page.get_by_label("Name of a new folder").fill("fresh")
    await page.keyboard.press("Enter")
    await expect(page.locator("#folder-place")).to_have_text(str(home / "notes/fresh"))
    assert (home / "notes/fresh").is_dir()
    await page.get_by_role("button", name="↑ Up").click()
    await page.get_by_label("Name of a new folder").fill("deep")  # once the level is there
    await page.keyboard.press("Enter")
    await expect(page.locator("#folder-error")).to_contain_text("already")
    assert await chat.overflow_px() <= 0


async def test_where_no_folder_can_be_chosen_the_page_says_why(chat: Chat) -> None:
    chat.server.login("somebody-else")
    await chat.open()
    await expect(chat.page.locator("#folder-refused")).to_contain_text("CHAT_WORKSPACE_ROOTS")
    await expect(chat.page.locator("#folder")).to_be_hidden()
    await expect(chat.page.get_by_role("button", name="Choose folder")).to_be_hidden()
