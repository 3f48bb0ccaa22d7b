"""The page over plain http under a name: a browser keeps some functions from it there."""

import hashlib
import re
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Page, Route, async_playwright, expect

from lab.rig import origin_key
from lab.rig.programs import chromium
from tests.browser.chat import Chat
from tests.browser.permission_requests import Requests
from tests.browser.test_attaching import payload, pick, png
from tests.support.server import Server

NAME = "backstay.test"


@pytest.fixture(scope="module")
def named_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that may be asked for under a name."""
    environment = {"ALLOWED_HOSTS": f"{NAME},127.0.0.1"}
    running = Server(tmp_path_factory.mktemp("named"), environment=environment)
    try:
        yield running.start()
    finally:
        running.close()


@pytest_asyncio.fixture(loop_scope="session")
async def plain(named_server: Server) -> AsyncIterator[BrowserContext]:
    """A browser in which the name is this machine."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium.find(),
            args=[*chromium.ARGUMENTS, f"--host-resolver-rules=MAP {NAME} 127.0.0.1"],
        )
        yield await browser.new_context()
        await browser.close()


async def chat_of(context: BrowserContext, server: Server, name: str) -> Chat:
    url = f"http://{NAME}:{server.port}"
    cookies = server.login(name)
    await context.add_init_script(origin_key.SCRIPT)
    await context.add_cookies(
        [{"name": key, "value": value, "url": url} for key, value in cookies.items()]
    )
    return Chat(await context.new_page(), server, name, url=url)


async def test_the_page_works_in_full(plain: BrowserContext, named_server: Server) -> None:
    chat = await chat_of(plain, named_server, "plain")
    errors: list[str] = []
    chat.page.on("pageerror", lambda error: errors.append(error.message))
    await chat.open()
    assert await chat.page.evaluate("isSecureContext") is False
    assert await chat.page.evaluate("crypto.randomUUID") is None
    await chat.ask("/slow 2")
    await expect(chat.page).to_have_url(re.compile(r"/s/[0-9a-f-]{36}$"))
    await chat.page.locator(".answer .copy").first.click()
    await expect(chat.page.locator(".answer .copy").first).to_have_text("Copied")
    await chat.page.reload()
    await chat.live()
    await chat.answered(1)
    other = Chat(await plain.new_page(), named_server, chat.name, url=chat.url)
    await other.open(f"/s/{chat.session}")
    await other.send("/run echo told-twice")
    card = other.page.locator('.permission[data-armed="true"]')
    await card.get_by_role("button", name="Allow once").click()
    for tab in (chat, other):
        await tab.answered(2)
    await chat.page.keyboard.press("Alt+n")
    await chat.ask("/slow 3")
    assert errors == []
    await expect(chat.page.locator("#broken")).to_be_hidden()


async def test_every_function_of_secure_contexts_is_missed_by_nothing(
    plain: BrowserContext, named_server: Server
) -> None:
    chat = await chat_of(plain, named_server, "bare")
    await chat.page.add_init_script(
        """for (const [owner, names] of [
          [Navigator.prototype, ["clipboard", "locks", "serviceWorker", "storage", "permissions"]],
          [window, ["Notification", "caches", "cookieStore", "isSecureContext"]],
          [Crypto.prototype, ["randomUUID", "subtle"]],
        ]) for (const name of names) delete owner[name];"""
    )
    requests = await Requests.opened(chat)
    await requests.ask({"command": "ls"})
    await requests.armed.get_by_role("button", name="Reject").click()
    assert requests.answered() == ["p1"]


async def test_a_file_and_an_image_go_with_a_prompt(
    plain: BrowserContext, named_server: Server
) -> None:
    chat = await chat_of(plain, named_server, "attaching")
    await chat.open()
    assert await chat.page.evaluate("crypto.subtle === undefined")
    await pick(chat, payload("notes.txt", "text/plain", b"remember the milk"))
    await pick(chat, payload("wide.png", "image/png", png(300, 30)))
    await chat.ask("/slow 1")
    [prompt] = [event for event in chat.log() if event["type"] == "user_message"]
    notes, image = prompt["attachments"]
    assert notes["blob"] == hashlib.sha256(b"remember the milk").hexdigest()
    assert image["name"] == "wide.png"
    await expect(chat.last_answer()).to_contain_text("I see 1 image")


async def broken(page: Page) -> str:
    await expect(page.locator("#broken")).to_be_visible()
    await expect(page.get_by_role("link", name="Reload")).to_be_visible()
    assert await page.locator("#prompt").evaluate("(prompt) => !!prompt.closest('[inert]')")
    return await page.locator("#broken-reason").inner_text()


async def test_a_module_that_cannot_be_loaded_is_told(chat: Chat) -> None:
    await chat.page.route("**/sessions/main.js", lambda route: route.abort())
    await chat.page.goto(chat.url)
    assert "could not be loaded" in await broken(chat.page)


async def test_a_module_that_dies_while_it_loads_is_told(
    chat: Chat, page_errors: list[str]
) -> None:
    await chat.page.route(
        "**/sessions/main.js",
        lambda route: route.fulfill(content_type="text/javascript", body="null.missing();"),
    )
    await chat.page.goto(chat.url)
    assert "null" in await broken(chat.page)
    page_errors.clear()


async def test_a_page_that_starts_late_takes_its_word_back(chat: Chat) -> None:
    await chat.page.clock.install()
    held: list[Route] = []

    async def hold(route: Route) -> None:
        held.append(route)

    await chat.page.route("**/sessions/main*.js", hold)
    await chat.page.goto(chat.url, wait_until="commit")
    await expect(chat.page.locator("#prompt")).to_be_attached()
    await chat.page.clock.run_for(21_000)
    assert "longer than it should" in await broken(chat.page)
    await held[0].continue_()
    await expect(chat.page.locator("#broken")).to_be_hidden()
    assert not await chat.prompt.evaluate("(prompt) => !!prompt.closest('[inert]')")
