"""The log-in of an agent in a real browser: link and code, an answer, and a page that leaves."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

from playwright.async_api import Page, Route, expect

from tests.agents import log_in_agent
from tests.agents.log_in_agent import CODE, LINK
from tests.support.server import Server, eventually

AGENT = Path(log_in_agent.__file__)


def wait_until_gone(folder: Path) -> None:
    eventually(lambda: not any(path.is_dir() for path in folder.iterdir()))


def agents_file(home: Path) -> Path:
    """Return the file of an agent that wants a log-in and keeps its credentials in a home."""
    home.mkdir()
    file = home.with_name("agents.toml")
    file.write_text(
        f'[agents.ours]\nlabel = "Ours"\ncommand = ["{sys.executable}", "{AGENT}"]\n'
        f'env = {{ LOG_IN_HOME = "{home}" }}\nwrite = ["{home}"]\n'
    )
    return file


async def opened(page: Page, make_server: Callable[..., Server], home: Path) -> Server:
    """Return a server with such an agent; its staff is on the page."""
    file = agents_file(home)
    server = make_server(environment={"CHAT_AGENTS_FILE": str(file)})
    server.create_user("ada", staff=True)
    await page.goto(server.url + server.one_time_link("ada"))
    await page.get_by_role("button", name="Log in as ada").click()
    await page.wait_for_url(f"{server.url}/")
    return server


async def begin(page: Page, server: Server) -> None:
    """Begin the log-in in a terminal; it asks for the code."""
    await page.goto(f"{server.url}/account/agents/")
    await page.get_by_role("button", name="Log in to Ours").click()
    await page.get_by_role("button", name="Begin: In a terminal").click()
    await expect(page.get_by_role("log")).to_contain_text("Code: ")


async def test_staff_log_in_to_an_agent_and_a_page_that_leaves_ends_it(
    page: Page, make_server: Callable[..., Server], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    server = await opened(page, make_server, home)
    output = page.get_by_role("log")

    await page.set_viewport_size({"width": 320, "height": 640})
    await begin(page, server)
    await expect(page.get_by_role("heading", name="Log in to Ours")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") == 320
    await expect(page.get_by_role("link", name=LINK)).to_have_attribute("target", "_blank")
    await expect(page.locator("#links code")).to_have_text(CODE)
    # The page has one of the two names: its cookie goes to every port of that name.
    own, other = sorted(
        ("localhost", "127.0.0.1"), key=lambda name: name not in server.url.split("//")[1]
    )
    for name in (own, other):
        link = page.get_by_role("link", name=f"http://{name}:9/back")
        await expect(link).to_have_attribute("href", f"http://{other}:9/back")
    await page.get_by_label("Type into the terminal").fill("by-hand")
    await page.keyboard.press("Enter")
    await expect(output).to_contain_text("Logged in as ada.")
    await expect(page.get_by_role("status")).to_have_text("The log-in has ended.")
    assert (home / "credentials").read_text() == "by-hand"

    await begin(page, server)
    held = Path(server.environment["DATA_DIR"], "log-ins")
    await page.get_by_role("link", name="Back to the agents").click()
    await asyncio.to_thread(wait_until_gone, held)


async def test_output_that_is_read_stays_where_it_is(
    page: Page, make_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = await opened(page, make_server, tmp_path / "home")
    await begin(page, server)
    waiting = ["".join(f"line {number}\n" for number in range(100))]

    async def answer(route: Route) -> None:
        if route.request.method == "POST":
            text = "".join(waiting)
            waiting.clear()
            await route.fulfill(json={"text": text, "since": 1, "ended": None})
        else:
            await route.fallback()

    await page.route("**/*", answer)
    output = page.get_by_role("log")
    await expect(output).to_contain_text("line 99")
    at_end = "(box) => box.scrollHeight - box.scrollTop - box.clientHeight < 1"
    assert await output.evaluate(at_end)
    await output.evaluate("(box) => { box.scrollTop = 40; }")
    waiting.append("more of it\n" * 50)
    await expect(output).to_contain_text("more of it")
    assert await output.evaluate("(box) => box.scrollTop") == 40
    await output.evaluate("(box) => { box.scrollTop = box.scrollHeight; }")
    waiting.append("the last line\n")
    await expect(output).to_contain_text("the last line")
    assert await output.evaluate(at_end)


async def test_a_chat_and_the_picker_say_that_a_log_in_is_needed_until_it_is_there(
    page: Page, make_server: Callable[..., Server], tmp_path: Path
) -> None:
    server = await opened(page, make_server, tmp_path / "home")
    server.create_user("bob")
    bar, card = page.locator(".log-in-bar"), page.locator("label.agent", has_text="Ours")
    await expect(card).to_be_visible()
    await expect(card).not_to_contain_text("Log-in needed")
    await ask(page)
    await expect(bar).to_contain_text("Log-in needed.")
    await expect(bar).to_contain_text("It offers: In a terminal, By a page, By a key, Flood.")
    await expect(page.get_by_text("Ours wants a log-in first.")).to_be_visible()
    asked = page.url

    await page.get_by_role("link", name="New chat").click()
    await expect(bar).to_be_empty()
    await expect(card).to_contain_text("Log-in needed")
    await page.get_by_role("radio", name="Ours").check()
    note = page.locator("#agents-log-in")
    await expect(note).to_contain_text("Ours wants a log-in before it answers.")
    await page.get_by_role("radio", name="Demo").check()
    await expect(note).to_be_empty()
    await in_another_browser_nothing_leads_staff_only(page, server)

    await page.goto(asked)
    await bar.get_by_role("link", name="Log in …").click()
    await page.wait_for_url(f"{server.url}/account/agents/#agent-ours")
    await expect(page.locator("#agent-ours")).to_contain_text("Log-in needed")
    await begin(page, server)
    await page.get_by_label("Type into the terminal").fill("by-hand")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_have_text("The log-in has ended.")
    await page.goto(asked)
    await expect(page.locator(".prompt")).to_have_count(1)
    await expect(bar).to_be_empty()
    await page.locator("#prompt").fill("And now?")
    await page.keyboard.press("Enter")
    await expect(page.locator(".answer .prose")).to_have_text("hello")


async def ask(page: Page) -> None:
    """Ask the agent something in a new chat."""
    await page.get_by_role("radio", name="Ours").check()
    await page.locator("#prompt").fill("Are you there?")
    await page.keyboard.press("Enter")


async def in_another_browser_nothing_leads_staff_only(page: Page, server: Server) -> None:
    """Look at the state as a person who is no staff."""
    assert page.context.browser
    context = await page.context.browser.new_context()
    other = await context.new_page()
    await other.goto(server.url + server.one_time_link("bob"))
    await other.get_by_role("button", name="Log in as bob").click()
    await other.get_by_role("radio", name="Ours").check()
    note = other.locator("#agents-log-in")
    await expect(note).to_contain_text("The staff of this server can log in to it.")
    await expect(note.get_by_role("link")).to_have_count(0)
    await context.close()
