"""Find in a chat: over all of it, by keys on a desktop and by thumb on a phone."""

import os

from playwright.async_api import Page, expect

from tests.browser.chat import Chat
from tests.browser.test_reading import long_chat

PHONE = {"width": 390, "height": 844}
# How far the foot of the found answer stands out of the frame around it.
OUT_OF_FRAME_PX = """(item) => {
  const frame = item.getBoundingClientRect().bottom - parseFloat(getComputedStyle(item, "::after").bottom);
  return item.querySelector(".answer-foot").getBoundingClientRect().bottom - frame;
}"""  # noqa: E501 (JavaScript)
MARKED = "[...(CSS.highlights.get('found-words') ?? [])].map(String)"


async def look(page: Page, name: str) -> None:
    """Keep a picture where a person asked for some."""
    if folder := os.environ.get("BACKSTAY_PICTURES"):
        await page.screenshot(path=f"{folder}/{name}.png")


async def test_words_are_found_far_above_what_is_loaded(chat: Chat) -> None:
    session = long_chat(chat)
    page = chat.page
    await chat.open(f"/s/{session}")
    await expect(page.locator(".answer").last).to_be_in_viewport()
    await page.keyboard.press("Alt+f")
    box = page.get_by_role("search").get_by_label("Find in this chat")
    await expect(box).to_be_focused()
    await box.fill("answer5")
    count = page.locator(".find-count")
    await expect(count).to_have_text("1 of 11")
    found = page.locator(".item.is-found")
    await expect(found).to_contain_text("Answer59")
    assert await page.evaluate(MARKED) == ["Answer59"]
    assert await found.evaluate(OUT_OF_FRAME_PX) < 1
    await look(page, "find-desktop")
    await page.get_by_role("button", name="Older match").click()
    await expect(found).to_contain_text("Answer58")
    await box.press("Shift+Enter")
    await expect(found).to_contain_text("Answer59")
    await box.press("Shift+Enter")  # round the end: the first answers are not loaded yet
    await expect(count).to_have_text("11 of 11")
    await expect(found).to_contain_text("Answer5 ")
    await expect(found).to_be_in_viewport()
    await box.press("Escape")
    await expect(page.locator(".find")).to_be_hidden()
    await expect(chat.prompt).to_be_focused()
    await expect(found).to_have_count(0)

    await page.set_viewport_size(PHONE)
    await page.emulate_media(color_scheme="dark")
    await page.locator("#open-menu").click()
    await page.get_by_role("button", name="Find in this chat").click()
    await box.fill("no such word")
    await expect(count).to_have_text("None")
    await box.fill("prompt 7")
    await expect(found).to_contain_text("Prompt 7")
    await expect(count).to_have_text("1 of 1")
    assert await chat.overflow_px() == 0
    await look(page, "find-phone")
    await page.locator("#new-chat").evaluate("(link) => link.click()")
    await expect(page.locator(".find")).to_be_hidden()
