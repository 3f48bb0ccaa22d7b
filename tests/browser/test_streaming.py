"""An answer is read as Markdown while it streams, and its end moves nothing."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.browser.chat import Chat, eventually

# Elements of the answer that a reader has in view, by their place; the last, open part left out.
PLACES = """() => [...document.querySelectorAll(".answer .prose > *:not(.prose-tail)")]
  .map((part) => [part.tagName, part.textContent, part.getBoundingClientRect().top])"""

# Follows the first heading through every frame until the answer has ended.
FOLLOW = """() => {
  window.moved = 0;
  const heading = document.querySelector(".answer .prose h4");
  let last = heading.getBoundingClientRect().top;
  const look = () => {
    const now = document.querySelector(".answer .prose h4")?.getBoundingClientRect().top ?? NaN;
    window.moved = Math.max(window.moved, Math.abs(now - last) || (Number.isNaN(now) ? 1e6 : 0));
    last = now;
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""


async def test_settled_parts_are_rendered_while_the_answer_streams(chat: Chat) -> None:
    await chat.open()
    await chat.send("/essay 3")
    answer = chat.last_answer()
    await expect(answer.locator("h4")).to_have_count(2, timeout=30_000)
    # The first section is whole although the answer is not.
    assert await answer.evaluate("(prose) => prose.classList.contains('streaming')")
    await expect(answer.locator("td").first).to_have_text("section")
    await expect(answer.locator("pre code.language-python")).to_have_count(1)
    assert "**strong" not in await answer.locator("p").first.inner_text()
    streamed = await answer.locator("h4").first.evaluate_handle("(heading) => heading")
    await chat.answered(1, within_s=60)
    # The very element that was read is still there: nothing was drawn a second time.
    assert await streamed.evaluate("(heading) => heading.isConnected")
    await expect(answer.locator(".prose-tail")).to_be_hidden()
    await expect(answer.locator("h4")).to_have_text([f"Section {n}" for n in range(1, 4)])


@pytest.mark.parametrize("size", [(900, 500), (360, 780), (1440, 900)], ids=str)
async def test_the_end_of_an_answer_moves_nothing_that_is_read(
    chat: Chat, size: tuple[int, int]
) -> None:
    await chat.page.set_viewport_size({"width": size[0], "height": size[1]})
    await chat.open()
    await chat.send("/essay 6")
    await expect(chat.last_answer().locator("h4")).to_have_count(3, timeout=60_000)
    scroll = chat.page.locator("#scroll")
    await scroll.hover()
    await chat.page.mouse.wheel(0, -10_000)
    await eventually(
        lambda: scroll.evaluate("(scroll) => scroll.scrollTop === 0"), what="the way to the top"
    )
    await expect(chat.last_answer().locator("h4").first).to_be_in_viewport()
    await chat.page.evaluate(FOLLOW)
    await chat.answered(1, within_s=60)
    assert await chat.page.evaluate("window.moved") <= 4


async def test_the_foot_of_an_answer_has_the_usage_of_its_turn(chat: Chat) -> None:
    await chat.open()
    await chat.ask("/slow 3")
    await expect(chat.page.locator(".answer-usage")).to_have_text(
        re.compile(r"^\d+ tokens in · \d+ out$")
    )


async def test_a_reload_in_mid_answer_shows_the_settled_parts_again(chat: Chat) -> None:
    await chat.open()
    await chat.send("/essay 6")
    await chat.in_session()
    await expect(chat.last_answer().locator("h4")).to_have_count(2, timeout=30_000)
    await chat.page.reload()
    await chat.live()
    answer = chat.last_answer()

    async def is_rendered_again() -> bool:
        is_streaming = await answer.evaluate("(prose) => prose.classList.contains('streaming')")
        assert is_streaming, "the answer ended first"
        return await answer.locator("h4").count() >= 2

    await eventually(is_rendered_again, what="the settled parts")


async def test_a_second_device_sees_the_same_while_it_streams(chat: Chat, page: Page) -> None:
    await chat.open()
    await chat.send("/essay 6")
    await chat.in_session()
    await expect(chat.last_answer().locator("h4")).to_have_count(2, timeout=30_000)
    other = Chat(await page.context.new_page(), chat.server, chat.name)
    await other.open(f"/s/{chat.session}")
    await expect(other.last_answer().locator("h4")).not_to_have_count(0, timeout=10_000)
    await chat.answered(1, within_s=60)
    await expect(other.last_answer().locator("h4")).to_have_count(6)
    ours, theirs = [await one.page.evaluate(PLACES) for one in (chat, other)]
    assert [part[:2] for part in ours] == [part[:2] for part in theirs]
