"""Many tabs, and pages that a phone puts to sleep: one stream per browser, nothing lost."""

import re
from collections.abc import Iterator

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.chat import Chat, eventually, log_in, words
from tests.support.server import Server

TABS = 12


def _open_connections(server: Server, name: str) -> int:
    return int(server.data.call("open_connections", name=name))


async def test_twelve_tabs_are_all_live_over_one_connection(chat: Chat) -> None:
    await chat.open()
    await chat.ask("/slow 1")
    session = await chat.in_session()
    tabs = [chat]
    for _ in range(TABS - 1):
        tab = Chat(await chat.page.context.new_page(), chat.server, chat.name)
        await tab.open(f"/s/{session}")
        tabs.append(tab)
    for tab in tabs:
        await tab.live()
    assert _open_connections(chat.server, chat.name) == 1
    await tabs[-1].ask("/slow 5")
    expected = [("prompt", "/slow 1"), ("answer", words(1)), ("prompt", "/slow 5")]
    for tab in tabs:
        await tab.answered(2)
        assert await tab.transcript() == [*expected, ("answer", words(5))]


async def test_another_tab_takes_over_in_mid_answer(chat: Chat) -> None:
    await chat.open()
    await chat.send("/slow 40")
    session = await chat.in_session()
    second = Chat(await chat.page.context.new_page(), chat.server, chat.name)
    await second.open(f"/s/{session}")
    await expect(second.last_answer()).to_contain_text("word5")
    await chat.page.close()
    await expect(second.deliveries).to_have_text("Answered", timeout=15_000)
    assert await second.transcript() == [("prompt", "/slow 40"), ("answer", words(40))]
    await second.ask("/slow 2")
    assert _open_connections(chat.server, chat.name) == 1


async def test_each_tab_shows_its_own_chat_and_sends_by_its_own_outbox(chat: Chat) -> None:
    await chat.open()
    other = Chat(await chat.page.context.new_page(), chat.server, chat.name)
    await other.open()
    await chat.send("/slow 10")
    await other.send("/slow 11")
    await expect(chat.deliveries).to_have_text("Answered", timeout=15_000)
    await expect(other.deliveries).to_have_text("Answered", timeout=15_000)
    assert await chat.transcript() == [("prompt", "/slow 10"), ("answer", words(10))]
    assert await other.transcript() == [("prompt", "/slow 11"), ("answer", words(11))]
    assert chat.session != other.session


async def test_a_killed_server_brings_all_tabs_back(page: Page, server: Server) -> None:
    chat = await Chat.of(page, server, "alice")
    await chat.open()
    await chat.ask("/slow 1")
    other = Chat(await page.context.new_page(), server, "alice")
    await other.open(f"/s/{await chat.in_session()}")
    server.kill()
    for tab in (chat, other):
        await expect(tab.line).to_have_text(re.compile("Reconnecting"))
    server.start()
    for tab in (chat, other):
        await tab.live(within_s=35)
    await other.ask("/slow 2")
    await expect(chat.last_answer()).to_have_text(re.compile("word2"))


# What a phone does when its owner looks away: hidden, then frozen without another word.
_HIDE = """(state) => {
  Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.fixture(scope="module")
def short_grace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that ends a suspended session after two seconds."""
    running = Server(
        tmp_path_factory.mktemp("phone"),
        environment={"CHAT_SUSPEND_GRACE_S": "2", "CHAT_SENDS_PER_MINUTE": "1000"},
    )
    try:
        yield running.start()
    finally:
        running.close()


async def test_a_phone_that_slept_through_the_answer_shows_it_within_a_second(
    browser: Browser, short_grace: Server
) -> None:
    context = await browser.new_context(
        viewport={"width": 380, "height": 780}, has_touch=True, is_mobile=True
    )
    await log_in(context, short_grace, "phone")
    chat = Chat(await context.new_page(), short_grace, "phone")
    await chat.open()
    await chat.prompt.fill("/slow 20")
    await chat.page.get_by_role("button", name="Send the prompt").tap()
    session = await chat.in_session()
    await expect(chat.last_answer()).to_contain_text("word3")
    await chat.page.evaluate(_HIDE, "hidden")

    async def state() -> str:
        return str(short_grace.data.call("session", session=session)["state"])

    async def is_suspended() -> bool:
        return await state() == "SUSPENDED"

    async def is_ended() -> bool:
        return await state() == "ENDED"

    await eventually(is_suspended, what="SUSPENDED")
    cdp = await context.new_cdp_session(chat.page)
    await cdp.send("Page.setWebLifecycleState", {"state": "frozen"})
    await eventually(is_ended, within_s=20, what="the end of the grace")
    await cdp.send("Page.setWebLifecycleState", {"state": "active"})
    await chat.page.evaluate(_HIDE, "visible")
    await expect(chat.deliveries).to_have_text("Answered", timeout=1_000)
    await expect(chat.page.locator("#stop")).to_be_hidden()
    await expect(chat.page.locator("#about")).to_contain_text("Starts with your next prompt")
    assert await chat.transcript() == [("prompt", "/slow 20"), ("answer", words(20))]
    await chat.prompt.fill("/slow 2")
    await chat.page.get_by_role("button", name="Send the prompt").tap()
    await chat.answered(2)
    await context.close()
