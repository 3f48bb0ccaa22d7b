"""Long code in an answer: folded, opened whole, and its copy button in sight."""

from playwright.async_api import expect

from sessions.text.growing import render
from tests.browser.answers import Answer
from tests.browser.chat import Chat, eventually

_IDS = {"messageId": "m1", "blockId": "b1"}


def code(lines: int) -> str:
    """Return a block of code with so many numbered lines."""
    return "```python\n" + "".join(f"line_{n} = {n}\n" for n in range(1, lines + 1)) + "```\n"


async def _answered(chat: Chat, text: str, *, opened: bool = False) -> Answer:
    answer = await Answer.begun(chat, opened=opened)
    await answer.append(
        [
            ("block_end", {**_IDS, "content": text, "html": render(text)}),
            ("message_end", {"messageId": "m1"}),
            ("turn_end", {"turnId": "t1", "stopReason": "end_turn"}),
        ]
    )
    return answer


async def _settled(answer: Answer) -> None:
    """Write on until the code is rendered: its markup comes in front of a later event."""

    async def is_rendered() -> bool:
        await answer.write("\nMore.\n")
        return await answer.chat.page.locator(".unfold").count() == 1

    await eventually(is_rendered, what="the rendered code")


async def test_code_beyond_40_lines_is_folded_and_opens_whole(chat: Chat) -> None:
    text = f"# Short\n\n{code(40)}\n# Long\n\n{code(2_900)}\nThe end.\n"
    answer = await _answered(chat, text)
    await chat.open(f"/s/{answer.session}")
    frames = chat.page.locator(".code-frame")
    await expect(frames).to_have_count(2)
    await expect(frames.first.locator(".unfold")).to_have_count(0)
    long = frames.last
    button = long.locator(".unfold")
    await expect(button).to_have_text("Show all 2,900 lines")
    await expect(button).to_have_attribute("aria-expanded", "false")
    folded = await long.bounding_box()
    assert folded is not None
    assert folded["height"] < 700
    assert (await long.locator("pre").inner_text()).count("\n") >= 2_899  # copied and found whole
    before = await button.bounding_box()
    await button.click()
    await expect(button).to_have_text("Show less")
    opened = await long.bounding_box()
    assert before is not None
    assert opened is not None
    assert opened["height"] > 30_000
    # The code stays where it was under the eye, and its copy button stays in sight.
    assert abs(opened["y"] - folded["y"]) <= 4
    scroll = chat.page.locator("#scroll")
    await scroll.evaluate("(scroll) => { scroll.scrollTop += 10_000; }")
    await expect(long.locator(".copy")).to_be_in_viewport()
    await button.evaluate("(button) => button.click()")
    await expect(button).to_have_text("Show all 2,900 lines")
    await expect(long.locator("pre")).to_be_in_viewport()


async def test_code_that_is_read_while_it_streams_is_not_folded_under_the_eye(chat: Chat) -> None:
    await chat.page.set_viewport_size({"width": 900, "height": 500})
    answer = await Answer.begun(chat)
    await answer.write("A sentence.\n\n" + code(120).removesuffix("```\n"))
    scroll = chat.page.locator("#scroll")
    await expect(chat.last_answer()).to_contain_text("line_120 = 120")
    await scroll.hover()
    await chat.page.mouse.wheel(0, -400)
    await expect(chat.page.locator("#jump")).to_be_visible()
    await answer.write("```\n")
    await _settled(answer)
    await expect(chat.page.locator(".unfold")).to_have_text("Show less")
    await expect(chat.page.locator(".code-frame pre")).to_be_in_viewport()


async def test_code_that_ends_behind_a_reader_is_folded(chat: Chat) -> None:
    answer = await Answer.begun(chat)
    await answer.write("A sentence.\n\n" + code(120))
    await _settled(answer)
    await expect(chat.page.locator(".unfold")).to_have_text("Show all 120 lines")
