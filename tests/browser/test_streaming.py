"""An answer is read as Markdown while it streams, and its end moves nothing."""

import re

import pytest
from playwright.async_api import Locator, Page, expect

from sessions.agents.programs.demo_texts import essay
from tests.browser.answers import Answer
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


def sections(first: int, last: int) -> str:
    """Return the Markdown of some sections of an essay."""
    whole = "".join(essay(last))
    return whole[whole.index(f"## Section {first}\n") :]


async def streamed(answer: Answer, count: int) -> None:
    """Write so many sections and begin another: each heading is shown, none comes by itself."""
    for line in sections(1, count).splitlines(keepends=True):
        await answer.write(line)
    await answer.write(f"## Section {count + 1}\n\nA sentence.\n")
    await rendered(answer, answer.chat, count + 1)


async def rendered(answer: Answer, chat: Chat, headings: int) -> None:
    """Write on until so many headings are shown: markup comes in front of a later event."""

    async def is_rendered() -> bool:
        await answer.write("More of it.\n")
        return await chat.last_answer().locator("h4").count() == headings

    await eventually(is_rendered, what="the headings")


async def finished(answer: Answer, last: int) -> None:
    """Write the other sections and end the answer."""
    begun = answer.text.count("## Section")
    for line in f"\n{sections(begun + 1, last)}".splitlines(keepends=True):
        await answer.write(line)
    await answer.end(is_rendered=True)


async def test_settled_parts_are_rendered_while_the_answer_streams(chat: Chat) -> None:
    answer = await Answer.begun(chat)
    await streamed(answer, 1)
    shown = chat.last_answer()
    # The first section is whole although the answer is not.
    assert await shown.evaluate("(prose) => prose.classList.contains('streaming')")
    await expect(shown.locator("td").first).to_have_text("section")
    await expect(shown.locator("pre code.language-python")).to_have_count(1)
    assert "**strong" not in await shown.locator("p").first.inner_text()
    first = await shown.locator("h4").first.evaluate_handle("(heading) => heading")
    await finished(answer, 3)
    await chat.answered(1)
    # The very element that was read is still there: nothing was drawn a second time.
    assert await first.evaluate("(heading) => heading.isConnected")
    await expect(shown.locator(".prose-tail")).to_be_hidden()
    await expect(shown.locator("h4")).to_have_text([f"Section {n}" for n in range(1, 4)])


@pytest.mark.parametrize("size", [(900, 500), (360, 780), (1440, 900)], ids=str)
async def test_the_end_of_an_answer_moves_nothing_that_is_read(
    chat: Chat, size: tuple[int, int]
) -> None:
    await chat.page.set_viewport_size({"width": size[0], "height": size[1]})
    answer = await Answer.begun(chat)
    await streamed(answer, 3)
    scroll = chat.page.locator("#scroll")
    await scroll.hover()
    await chat.page.mouse.wheel(0, -10_000)
    await eventually(
        lambda: scroll.evaluate("(scroll) => scroll.scrollTop === 0"), what="the way to the top"
    )
    await expect(chat.last_answer().locator("h4").first).to_be_in_viewport()
    await chat.page.evaluate(FOLLOW)
    await finished(answer, 6)
    await chat.answered(1)
    assert await chat.page.evaluate("window.moved") <= 4


async def test_the_foot_of_an_answer_has_the_usage_of_its_turn(chat: Chat) -> None:
    await chat.open()
    await chat.ask("/slow 3")
    await expect(chat.page.locator(".answer-usage")).to_have_text(
        re.compile(r"^\d+ tokens in · \d+ out$")
    )


async def test_a_reload_in_mid_answer_shows_the_settled_parts_again(chat: Chat) -> None:
    answer = await Answer.begun(chat)
    await streamed(answer, 2)
    await chat.page.reload()
    await chat.live()
    await rendered(answer, chat, 3)
    assert await chat.last_answer().evaluate("(prose) => prose.classList.contains('streaming')")


async def test_a_second_device_sees_the_same_while_it_streams(chat: Chat, page: Page) -> None:
    answer = await Answer.begun(chat)
    await streamed(answer, 2)
    other = Chat(await page.context.new_page(), chat.server, chat.name)
    await other.open(f"/s/{answer.session}")
    await rendered(answer, other, 3)
    await finished(answer, 6)
    await chat.answered(1)
    await expect(other.last_answer().locator("h4")).to_have_count(6)
    ours, theirs = [await one.page.evaluate(PLACES) for one in (chat, other)]
    assert [part[:2] for part in ours] == [part[:2] for part in theirs]


# Follows the frame of the code and what is in it through every frame of the screen.
FOLLOW_CODE = """() => {
  window.moved = 0;
  window.withoutCode = 0;
  const places = () => {
    const pre = document.querySelector(".answer .code-frame pre");
    if (!pre) return null;
    const { top, height } = pre.getBoundingClientRect();
    const place = top + document.getElementById("scroll").scrollTop;
    return [place, height, getComputedStyle(pre).fontFamily];
  };
  const first = places();
  const look = () => {
    const now = places();
    if (!now || now[2] !== first[2]) window.withoutCode += 1;
    else window.moved = Math.max(window.moved, ...[0, 1].map((i) => Math.abs(now[i] - first[i])));
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""
CODE = "".join(f"line_{n} = {n}  # a line that is wider than a small screen\n" for n in range(1, 9))


def open_code(chat: Chat) -> Locator:
    """Return the code that still streams."""
    return chat.page.locator(".prose-tail .code-frame pre")


@pytest.mark.parametrize("before", ["", "A sentence.\n\n"], ids=["first", "behind"])
@pytest.mark.parametrize("size", [(900, 500), (360, 780)], ids=str)
async def test_code_has_its_frame_while_it_streams_and_its_end_moves_nothing(
    chat: Chat, size: tuple[int, int], before: str
) -> None:
    await chat.page.set_viewport_size({"width": size[0], "height": size[1]})
    answer = await Answer.begun(chat)
    await answer.write(f"{before}```python\n{CODE}")
    await expect(open_code(chat)).to_have_text(CODE.strip())
    await expect(open_code(chat)).to_have_css("font-family", re.compile("mono"))
    await expect(open_code(chat)).to_have_css("white-space", "pre")
    await expect(chat.last_answer()).not_to_contain_text("`")
    head = chat.page.locator(".prose-tail .code-head")
    await expect(head).to_have_attribute("data-language", "python")
    await open_code(chat).focus()
    await chat.page.evaluate(FOLLOW_CODE)
    await answer.write("``")
    await answer.write("`\n")
    await answer.write("\nThe *end*.\n")
    await expect(chat.last_answer().locator(".tail-text").last).to_have_text(re.compile("^The "))
    await answer.end(is_rendered=True)
    await chat.answered(1)
    settled = chat.last_answer().locator("pre code.language-python")
    await expect(settled).to_have_text(CODE.strip())
    await expect(chat.last_answer().locator("em")).to_have_text("end")
    await expect(open_code(chat)).to_have_count(0)
    # A person who scrolls it by keys keeps the focus.
    await expect(settled.locator("..")).to_be_focused()
    assert await chat.page.evaluate("window.withoutCode") == 0
    assert await chat.page.evaluate("window.moved") <= 4


async def test_code_that_streams_has_its_frame_after_a_reload(chat: Chat) -> None:
    answer = await Answer.begun(chat)
    await answer.write(f"# Title\n\nA sentence.\n\n```python\n{CODE}")
    await expect(open_code(chat)).to_have_text(CODE.strip())
    await chat.page.reload()
    await chat.live()
    await expect(open_code(chat)).to_have_text(CODE.strip())
    await answer.write("more = 1\n")
    await expect(open_code(chat)).to_have_text(f"{CODE}more = 1")
    await expect(chat.last_answer()).not_to_contain_text("`")
