"""Choosing the folder of a new chat: from the folders of the server, on a desktop and a phone."""

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.chat import Chat
from tests.browser.conftest import make_server  # noqa: F401 (a fixture)
from tests.db.test_worktrees import commit, git
from tests.support.server import Server

PHONE = {"width": 390, "height": 844}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder with a repository and a plain folder."""
    made = tmp_path / "home"
    (made / "shop" / ".git").mkdir(parents=True)
    (made / "shop" / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (made / "shop" / "prices.md").write_text("tea 2\n")
    (made / "notes" / "deep").mkdir(parents=True)
    return made


@pytest.fixture
def owner_server(make_server, home: Path):  # noqa: F811
    """A server with a single account and no setting for folders."""
    return make_server(environment={"HOME": str(home)})


async def in_folder(page: Page, server: Server, name: str) -> Chat:
    """Open a new chat of the owner in a folder of the home."""
    chat = await Chat.of(page, server, "owner")
    await chat.open()
    await page.get_by_role("button", name="Choose folder").click()
    await page.locator(".folder-row", has_text=name).click()
    await page.get_by_role("button", name="Use this folder").click()
    return chat


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
    # The folder is a project now: listed with its branch, offered again, asked about once.
    heading = page.locator("#sessions .project-fold")
    await expect(heading).to_have_text("shopmain")
    await expect(page.locator("#sessions .row")).to_have_count(1)
    await page.locator("#new-chat").click()
    await page.get_by_role("button", name="Clear").click()
    recent = page.locator("#recent-projects button")
    await expect(recent).to_have_text("shopmain")
    await recent.click()
    trust = page.get_by_role("group", name="Do you trust shop?")
    await expect(trust).to_contain_text("hooks, plugins and MCP servers")
    await trust.get_by_role("button", name="Trust this folder").click()
    await expect(trust).to_be_hidden()
    await the_project_is_known_before_the_first_prompt(chat)
    await expect(page.locator("#sessions .row")).to_have_count(2)
    await expect(heading).to_have_count(1)
    await rename_and_delete(page, owner_server.url)
    await expect(page.locator("#sessions .row")).to_have_count(2)
    await expect(heading).to_have_count(0)


async def the_project_is_known_before_the_first_prompt(chat: Chat) -> None:
    """In a new chat the arrow has the prompts of the project, and @ its files."""
    await chat.prompt.press("ArrowUp")
    await expect(chat.prompt).to_have_value("/run pwd")
    await chat.prompt.fill("hello ")
    await chat.prompt.press_sequentially("@pric")
    hint = chat.page.locator("#path-hints li")
    await expect(hint).to_have_text("prices.md")
    await chat.prompt.press("Tab")
    await expect(chat.prompt).to_have_value("hello @prices.md ")
    await chat.prompt.press("Enter")
    await chat.in_session()
    (prompt,) = [event for event in chat.log() if event["type"] == "user_message"]
    assert prompt["mentions"] == ["prices.md"]


async def rename_and_delete(page: Page, url: str) -> None:
    """On the account page a project gets another name; deleted, its chats stay."""
    await page.goto(f"{url}/account/projects/")
    await expect(page.get_by_label("Trust", exact=True)).to_have_value("yes")
    await page.get_by_label("Name", exact=True).fill("The shop")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("heading", name="The shop")).to_be_visible()
    await page.get_by_role("button", name="Delete the project The shop").click()
    await expect(page.get_by_text("There are none.")).to_be_visible()
    await page.goto(f"{url}/")


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


async def test_a_chat_works_in_a_worktree_and_is_merged(
    page: Page, owner_server, home: Path
) -> None:
    shop = home / "real"
    shop.mkdir()
    git(shop, "init", "-q", "-b", "main")
    commit(shop, "a.txt", "one\n")
    chat = await in_folder(page, owner_server, "real")
    await page.get_by_label("The chat works").select_option("new")
    await page.locator("#worktree-name").fill("fix")
    words = "-c user.name=A -c user.email=a@b"
    await chat.send(f"/run echo two > b.txt; git add -A; git {words} commit -qm mine")
    await page.get_by_role("button", name="Allow once").click()
    await expect(chat.deliveries).to_have_text("Answered")
    button = page.locator("#open-worktree")
    await expect(button).to_have_text("fix +1 \u22120")
    await page.set_viewport_size(PHONE)
    assert await chat.overflow_px() <= 0
    await button.click()
    dialog = page.get_by_role("dialog", name="Worktree on fix")
    await expect(dialog).to_contain_text("mine")
    await dialog.get_by_role("button", name="Merge into main").click()
    await expect(dialog).to_be_hidden()
    await expect(button).to_have_text("fix merged")
    assert (shop / "b.txt").read_text() == "two\n"
    await expect(page.get_by_text("owner merged the branch fix into main.")).to_be_visible()


async def test_a_fork_works_in_a_worktree_beside_its_chat(
    page: Page, owner_server, home: Path
) -> None:
    shop = home / "forked"
    shop.mkdir()
    git(shop, "init", "-q", "-b", "main")
    commit(shop, "a.txt", "one\n")
    chat = await Chat.of(page, owner_server, "owner")
    await chat.open()
    await chat.prompt.fill("Hello")  # it stays while a folder is chosen
    await page.get_by_role("button", name="Choose folder").click()
    await page.locator(".folder-row", has_text="forked").click()
    await page.get_by_role("button", name="Use this folder").click()
    await expect(chat.prompt).to_be_focused()
    await expect(chat.prompt).to_have_value("Hello")
    await chat.prompt.press("Enter")
    await expect(chat.deliveries).to_have_text("Answered")
    before = page.url
    await page.locator("#open-menu").click()
    await page.get_by_role("button", name="Fork into a worktree").click()
    dialog = page.get_by_role("dialog", name="Fork into a worktree")
    branch = dialog.get_by_label("New branch")
    await branch.fill("no branch")
    await dialog.get_by_role("button", name="Fork").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("no name of a branch")
    await branch.fill("beside")
    await dialog.get_by_role("button", name="Fork").click()
    await expect(page).not_to_have_url(before)
    await chat.send("/run pwd; git branch --show-current")
    await page.get_by_role("button", name="Allow once").click()
    await expect(page.locator("#open-worktree")).to_contain_text("beside")
    await expect(chat.deliveries.last).to_have_text("Answered")
    assert git(shop, "branch", "--show-current") == "main"
    assert git(shop, "branch", "--list", "beside").endswith("beside")


@pytest.mark.parametrize("size", [PHONE, {"width": 1440, "height": 900}], ids=["phone", "desktop"])
async def test_a_worktree_begins_at_a_branch_that_a_person_chooses(
    page: Page, owner_server, home: Path, size
) -> None:
    shop = home / "branches"
    shop.mkdir()
    git(shop, "init", "-q", "-b", "main")
    commit(shop, "a.txt", "one\n")
    git(shop, "branch", "before")
    second = commit(shop, "b.txt", "two\n")
    await page.set_viewport_size(size)
    chat = await in_folder(page, owner_server, "branches")
    await page.get_by_label("The chat works").select_option("new")
    start = page.get_by_label("From", exact=True)
    await expect(start).to_have_attribute("placeholder", "main")
    await expect(page.locator("#worktree-all option")).to_have_count(2)
    await page.get_by_label("Branch", exact=True).fill("-fix")
    await start.fill("before")
    assert await chat.overflow_px() <= 0
    await chat.send("Hello")
    refusal = chat.prompts.locator(".delivery-why")
    await expect(refusal).to_contain_text("'-fix' is no name of a branch")
    await page.get_by_label("Branch", exact=True).fill("fix")
    await start.fill("--all")
    await chat.prompts.get_by_role("button", name="Send again").click()
    await expect(refusal).to_contain_text("'--all' is no name of a branch")
    await start.fill("before")
    await chat.prompts.get_by_role("button", name="Send again").click()
    await expect(chat.deliveries).to_have_text("Answered")
    assert git(shop, "rev-parse", "fix") == git(shop, "rev-parse", "before") != second
    await expect(page.locator("#worktree-label")).to_have_text("fix +0 \u22120")

    await it_takes_one_that_exists(chat)
    await in_the_folder_the_header_has_its_branch(chat, shop)


async def it_takes_one_that_exists(chat: Chat) -> None:
    """Those that are checked out nowhere are offered."""
    page = chat.page
    await page.goto(f"{chat.url}/")
    await chat.live()
    await page.get_by_label("The chat works").select_option("existing")
    free = page.locator("#worktree-free option")
    await expect(free).to_have_count(1)
    await expect(free).to_have_attribute("value", "before")
    await expect(page.get_by_label("From", exact=True)).to_be_hidden()
    await page.get_by_label("Branch", exact=True).fill("before")
    await chat.send("Hello")
    await expect(chat.deliveries).to_have_text("Answered")
    await expect(page.locator("#worktree-label")).to_have_text("before +0 \u22120")


async def in_the_folder_the_header_has_its_branch(chat: Chat, shop: Path) -> None:
    """It follows a checkout, and leads to the changes."""
    page = chat.page
    await page.goto(f"{chat.url}/")
    await chat.live()
    await chat.send("Hello")
    await expect(chat.deliveries).to_have_text("Answered")
    branch = page.locator("#open-worktree")
    await expect(branch).to_have_text("main")
    await expect(branch).to_have_attribute("title", "Branch of the folder: main")
    git(shop, "checkout", "-q", "-b", "other")
    await chat.send("Hello")
    await expect(branch).to_have_text("other")
    assert await chat.overflow_px() <= 0
    await branch.click()
    await expect(page.locator("#open-changes")).to_have_attribute("aria-expanded", "true")


@pytest.mark.parametrize("size", [PHONE, {"width": 1440, "height": 900}], ids=["phone", "desktop"])
async def test_the_heading_of_a_project_leads_to_its_page(
    page: Page, owner_server, home: Path, size
) -> None:
    await page.set_viewport_size(size)
    chat = await in_folder(page, owner_server, "shop")
    await expect(chat.prompt).to_be_focused()
    await chat.ask("Hello")
    link = page.get_by_role("link", name="Project shop")
    if size is PHONE:
        await page.locator("#open-sidebar").click()
        await link.click()
    else:
        await page.locator("#sessions .project-fold").focus()
        await page.keyboard.press("ArrowRight")  # its chats are open: on to its page
        await expect(link).to_be_focused()
        await page.keyboard.press("ArrowLeft")
        await expect(page.locator("#sessions .project-fold")).to_be_focused()
        await page.keyboard.press("ArrowRight")
        await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="shop", exact=True)).to_be_visible()
    await expect(page.get_by_text(str(home / "shop"))).to_be_visible()
    await expect(page.get_by_text("in the folder")).to_be_visible()
    await page.get_by_label("Name", exact=True).fill("The shop")
    await page.get_by_label("Pace of new chats with").select_option("fast")
    await page.get_by_label("Trust", exact=True).select_option("yes")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("heading", name="The shop")).to_be_visible()
    await expect(page.get_by_label("Pace of new chats with")).to_have_value("fast")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.get_by_role("link", name="Hello").click()
    await chat.live()
    await expect(chat.prompts).to_have_count(1)


async def test_where_no_folder_can_be_chosen_the_page_says_why(chat: Chat) -> None:
    chat.server.login("somebody-else")
    asked: list[str] = []
    chat.page.on("request", lambda request: asked.append(request.url))
    await chat.open()
    await expect(chat.page.locator("#folder-refused")).to_contain_text("CHAT_WORKSPACE_ROOTS")
    await expect(chat.page.locator("#folder")).to_be_hidden()
    await expect(chat.page.get_by_role("button", name="Choose folder")).to_be_hidden()
    assert not [url for url in asked if "/api/folders" in url or "/api/projects" in url]
