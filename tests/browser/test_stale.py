"""Stale looks stale: while the line is down nothing moves and nothing claims to go on."""

import re
from collections.abc import Callable

from playwright.async_api import Page, Route, expect

from tests.browser.chat import Chat
from tests.support.server import Server

_MOVING = """() => document.getAnimations()
  .filter((animation) => animation.playState === "running").length"""


async def test_nothing_blinks_or_says_working_while_the_line_is_down(chat: Chat) -> None:
    await chat.open()
    await chat.send("/slow 200")
    await expect(chat.last_answer()).to_contain_text("word2")
    await expect(chat.page.locator("#about")).to_contain_text("Working")
    await chat.page.context.set_offline(True)
    since = re.compile(r"^Last seen at work \d+:\d\d ago · ")
    await expect(chat.page.locator("#about")).to_have_text(since)
    await expect(chat.page.locator("#about")).not_to_contain_text(" 0:00 ago")  # the clock runs
    await expect(chat.page.locator(".row-about")).to_contain_text("Last seen at work")
    await expect(chat.prompt).to_have_attribute("placeholder", "Sent once connected")
    for part in ("#sidebar", "#main"):  # beside them is a word that was spoken before
        assert "Working" not in await chat.page.locator(part).inner_text()
    assert not (await chat.page.title()).startswith("…")
    assert await chat.page.evaluate(_MOVING) == 0
    await chat.page.set_viewport_size({"width": 360, "height": 640})
    assert await chat.page.locator("#title").evaluate("(title) => title.clientWidth") >= 70
    await chat.page.context.set_offline(False)
    await chat.live()
    await expect(chat.page.locator("#about")).to_contain_text("Working")
    assert await chat.page.evaluate(_MOVING) > 0
    await chat.prompt.press("Escape")
    await expect(chat.deliveries).to_have_text("Interrupted")


async def test_a_prompt_written_offline_is_in_no_doubt(chat: Chat) -> None:
    await chat.open()
    await chat.ask("/slow 1")
    await chat.page.context.set_offline(True)
    await expect(chat.line).to_have_attribute("data-kind", "offline")
    await chat.send("/slow 2")
    last = chat.prompts.last
    await expect(last.get_by_role("button", name="Discard")).to_be_visible()  # it was tried
    await expect(last.locator(".delivery-why")).to_be_empty()
    await chat.page.context.set_offline(False)
    await chat.answered(2)


async def test_a_post_without_an_answer_leaves_a_doubt_in_grey(
    page: Page, make_server: Callable[..., Server]
) -> None:
    server = make_server(environment={"CHAT_SEND_TIMEOUT_S": "3"})
    chat = await Chat.of(page, server, "doubter")
    await chat.open()
    await chat.ask("/slow 1")
    held: list[Route] = []

    async def hold(route: Route) -> None:
        held.append(route)

    await chat.page.route("**/api/chat/send", hold)
    await chat.send("/slow 2")
    why = chat.prompts.last.locator(".delivery-why")
    await expect(chat.deliveries.last).to_have_text("Sending")
    await expect(why).to_be_empty()
    await expect(why).to_have_text(
        "No answer from the server yet. It is sent again, and arrives once."
    )
    grey = await chat.page.locator(".delivery").first.evaluate("(e) => getComputedStyle(e).color")
    await expect(why).to_have_css("color", grey)
    await chat.page.unroute("**/api/chat/send", hold)
    await chat.answered(2)
    assert len([event for event in chat.log() if event["type"] == "user_message"]) == 2


async def test_a_screen_reader_hears_of_a_lost_line_once(chat: Chat) -> None:
    await chat.open()
    await chat.page.evaluate("""() => {
      window.heard = [];
      const told = document.querySelector("#line [role=status]");
      new MutationObserver(() => window.heard.push(told.textContent))
        .observe(told, { childList: true, characterData: true, subtree: true });
    }""")
    await chat.page.context.set_offline(True)
    await expect(chat.page.locator("#line-since")).to_have_text("for 0:03")  # seen, not heard
    assert await chat.page.evaluate("window.heard") == ["Offline"]
