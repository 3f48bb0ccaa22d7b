"""Fixtures of the browser tests: one real Chromium per test process, a new context per test."""

from collections.abc import AsyncIterator, Iterator
from itertools import count

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from lab.rig.programs import chromium
from tests.browser.chat import Chat
from tests.support.server import Server, make_server, server

__all__ = ["make_server", "server"]

# Long enough for a machine that does much else; a test that promises a time names its own.
PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)

_people = count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The browser lives in the loop that started it, so its tests share one loop.
    for item in items:
        if "/tests/browser/" in item.path.as_posix():
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """A headless Chromium."""
    path = chromium.find()
    if path is None:
        pytest.fail(f"The browser tests need {chromium.HOW_TO_INSTALL}.", pytrace=False)
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(
            executable_path=path, args=list(chromium.ARGUMENTS)
        )
        yield running
        await running.close()


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """One person's browser: cookies and storage of its own."""
    fresh = await browser.new_context()
    fresh.set_default_timeout(PATIENCE_MS)
    yield fresh
    await fresh.close()


@pytest.fixture
def page_errors() -> list[str]:
    """What scripts of the page raised; a test that expects an error clears it."""
    return []


@pytest_asyncio.fixture(loop_scope="session")
async def page(context: BrowserContext, page_errors: list[str]) -> AsyncIterator[Page]:
    """A tab; the test fails when a script of the page raised, whatever else it asserts."""
    tab = await context.new_page()
    tab.on("pageerror", lambda error: page_errors.append(error.message))
    yield tab
    assert page_errors == []


@pytest.fixture(scope="session")
def chat_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for every test that does not hurt it; each test is a person of its own."""
    running = Server(
        tmp_path_factory.mktemp("browser"), environment={"CHAT_SENDS_PER_MINUTE": "1000"}
    )
    try:
        yield running.start()
    finally:
        running.close()


@pytest_asyncio.fixture(loop_scope="session")
async def chat(page: Page, chat_server: Server) -> Chat:
    """The page of a new person on the shared server; not opened yet."""
    return await Chat.of(page, chat_server, f"person{next(_people)}")
