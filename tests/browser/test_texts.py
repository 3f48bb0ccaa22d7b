"""Texts of any length, in a page whose nodes a translation may replace."""

import time

import pytest
from playwright.async_api import expect

from tests.browser.answers import Answer
from tests.browser.chat import Chat

# As a browser's translation does: every text node becomes a <font> in a <font>, again and again.
TRANSLATE = """() => {
  const translate = () => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const nodes = [];
    while (walker.nextNode()) nodes.push(walker.currentNode);
    for (const node of nodes) {
      const parent = node.parentElement;
      if (!node.data.trim() || parent.closest("font, script, [translate=no]")) continue;
      const font = document.createElement("font");
      font.append(document.createElement("font"));
      font.firstChild.append(node.data.toUpperCase());
      node.replaceWith(font);
    }
  };
  setInterval(translate, 20);
}"""

LENGTH = "(element) => element.textContent.length"

# The longest time that the page did not answer, while it is measured.
WATCH_FREEZES = """() => {
  window.longestFreeze = 0;
  let last = performance.now();
  setInterval(() => {
    const now = performance.now();
    window.longestFreeze = Math.max(window.longestFreeze, now - last);
    last = now;
  }, 5);
}"""


@pytest.mark.parametrize(
    ("kind", "place"), [("text", ".answer .prose"), ("thinking", ".thinking .block-body")]
)
async def test_a_translated_answer_goes_on(chat: Chat, kind: str, place: str) -> None:
    answer = await Answer.begun(chat, kind)
    await answer.write("first words ")
    text = chat.page.locator(place)
    await expect(text).to_have_count(1)
    await chat.page.evaluate(TRANSLATE)
    await expect(text.locator("font font")).to_have_count(1, timeout=5_000)
    for number in range(5):
        await answer.write(f"and part {number} ")
        await expect(text).to_contain_text(
            f"and part {number}", ignore_case=True, use_inner_text=False
        )
    await answer.end()
    await expect(chat.deliveries).to_contain_text("Answered", ignore_case=True)
    assert (await text.text_content() or "").lower().strip() == answer.text.strip()


async def test_a_prompt_and_its_state_survive_a_translation(chat: Chat) -> None:
    answer = await Answer.begun(chat, prompt="Say it")
    await chat.page.evaluate(TRANSLATE)
    await expect(chat.page.locator(".prompt-text font font")).to_have_count(1)
    await answer.write("yes")
    await answer.end()
    await expect(chat.deliveries).to_contain_text("Answered", ignore_case=True)
    await expect(chat.page.locator(".prompt-text")).to_contain_text("say it", ignore_case=True)


async def test_a_block_that_an_extension_takes_away_comes_back(chat: Chat) -> None:
    answer = await Answer.begun(chat)
    await answer.write("before ")
    await expect(chat.last_answer()).to_contain_text("before")
    await chat.last_answer().evaluate("(prose) => prose.remove()")
    await answer.write("after")
    await expect(chat.last_answer()).to_have_text("before after")


async def test_text_goes_on_behind_words_that_an_extension_has_put_in_its_place(
    chat: Chat,
) -> None:
    answer = await Answer.begun(chat)
    await answer.write("first\n\nsecond ")
    await expect(chat.last_answer()).to_contain_text("second")
    await chat.last_answer().evaluate("(prose) => prose.replaceChildren('in other words ')")
    await answer.write("third\n\nfourth")
    await expect(chat.last_answer()).to_contain_text("third")
    await expect(chat.last_answer()).to_contain_text("fourth")
    await answer.end()
    await expect(chat.deliveries).to_contain_text("Answered")
    await expect(chat.last_answer()).to_contain_text("fourth")


@pytest.mark.parametrize("length", [1_000_000, 3_000_000])
@pytest.mark.parametrize("kind", ["text", "thinking"])
async def test_a_long_line_does_not_freeze_the_page(chat: Chat, kind: str, length: int) -> None:
    answer = await Answer.begun(chat, kind, opened=False)
    await answer.write("x" * length)
    start = time.monotonic()
    await chat.page.goto(f"{chat.server.url}/s/{answer.session}")
    await chat.live(within_s=60)
    if kind == "thinking":
        await chat.page.locator(".thinking summary").click()
    place = chat.page.locator(".answer .prose, .thinking .block-body")
    await expect(place).to_be_visible()
    assert 200_000 < await place.evaluate(LENGTH) < 263_000
    assert time.monotonic() - start < 15
    await chat.page.evaluate(WATCH_FREEZES)
    show_all = chat.page.locator(".answer .whole")
    await expect(show_all).to_have_text(f"Show all ({length / 1e6:.1f} MB)")
    await show_all.click()
    await expect(show_all).to_be_hidden(timeout=30_000)
    assert await place.evaluate(LENGTH) == length
    assert await chat.page.evaluate("window.longestFreeze") < 3_000
    # A piece that comes meanwhile is loaded in the same way.
    await answer.write(" and more")
    await expect(show_all).to_have_text(f"Show all ({length / 1e6:.1f} MB)")
    await show_all.click()
    await expect(place).to_contain_text("and more", timeout=30_000)
    longest = await place.evaluate(
        """(element) => Math.max(...[element, ...element.querySelectorAll("*")]
          .filter((one) => getComputedStyle(one).unicodeBidi === "plaintext")
          .flatMap((one) => [...one.childNodes])
          .filter((node) => node.nodeType === Node.TEXT_NODE)
          .map((node) => node.length))"""
    )
    assert longest <= 20_000  # the cost of a line grows with its square


async def test_a_long_prompt_does_not_freeze_the_page(chat: Chat) -> None:
    await Answer.begun(chat, prompt="y" * 900_000)
    place = chat.page.locator(".prompt-text")
    await chat.page.locator(".prompt .whole").click()
    await expect(chat.page.locator(".prompt .whole")).to_be_hidden(timeout=30_000)
    assert await place.evaluate(LENGTH) == 900_000
    start = time.monotonic()
    await chat.prompt.fill("z" * 900_000)
    await chat.prompt.press("End")
    await chat.prompt.press("a")
    assert time.monotonic() - start < 15
    assert await chat.prompt.evaluate("(text) => getComputedStyle(text).unicodeBidi") != "plaintext"
    await chat.prompt.fill("עברית")
    assert await chat.prompt.evaluate("(text) => getComputedStyle(text).direction") == "rtl"


async def test_runs_of_a_long_text_read_in_their_own_direction(chat: Chat) -> None:
    answer = await Answer.begun(chat)
    await answer.write("left to right\n" * 2_000 + "שלום עולם\n" * 2_000)
    runs = chat.page.locator(".answer .prose .run")
    await expect(runs.first).to_contain_text("left to right")
    assert await runs.first.evaluate("(run) => getComputedStyle(run).unicodeBidi") == "plaintext"
    assert await chat.last_answer().evaluate("(prose) => prose.textContent") == answer.text
