"""A reader's place: it stays over back, reload and other chats, and the prompt's keys scroll."""

import asyncio
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.answers import Answer
from tests.browser.chat import Chat, eventually

TURNS = 60  # more than one page of messages
_TEXT = "A sentence of an answer that is long enough to need more than one line of it. " * 8

# Where the scroller stands once it has stood there for a while.
_RESTS = """(scroll) => new Promise((resolve) => {
  let [top, frames] = [scroll.scrollTop, 0];
  const look = () => {
    [top, frames] = [scroll.scrollTop, scroll.scrollTop === top ? frames + 1 : 0];
    if (frames > 30) resolve(top);
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})"""
# Records each change of whether the reader follows the end.
_RECORD_FOLLOWING = """(scroll) => {
  window.following = [];
  const look = () => window.following.push("follows" in scroll.dataset);
  new MutationObserver(look).observe(scroll, { attributeFilter: ["data-follows"] });
}"""
_SHORTER = """(scroll) => {
  const before = scroll.scrollTop;
  scroll.querySelector(".prompt").style.display = "none";
  if (scroll.scrollTop >= before) throw new Error("nothing has become shorter");
}"""
_FRAMES = """async () => {
  for (let frame = 0; frame < 3; frame += 1) await new Promise(requestAnimationFrame);
}"""
# The first paragraph in sight and its distance from the upper edge.
_PLACE = """() => {
  const edge = document.getElementById("scroll").getBoundingClientRect().top;
  for (const part of document.querySelectorAll(".prose")) {
    const box = part.getBoundingClientRect();
    if (box.bottom > edge) return [part.innerText.split(" ")[0], box.top - edge];
  }
  return ["nothing", 0];
}"""
# The distance of the answer that begins with a word.
_TOP_OF = """(word) => {
  const edge = document.getElementById("scroll").getBoundingClientRect().top;
  const parts = [...document.querySelectorAll(".prose")];
  const read = parts.find((part) => part.textContent.trim().split(" ")[0] === word);
  return read ? read.getBoundingClientRect().top - edge : -Infinity;
}"""
_LEAVES_OUT = """(e) => [...e.querySelectorAll(".prose")].some(
  (part) => !part.checkVisibility({ contentVisibilityAuto: true }))"""
# The numbers of the messages of each part, and how many parts are not left out.
_PARTS = """() => {
  const parts = [...document.querySelectorAll("#transcript > .part")];
  const isShown = (part) => part.querySelector("li > *").checkVisibility({ contentVisibilityAuto: true });
  return [parts.map((part) => part.childElementCount), parts.filter(isShown).length];
}"""  # noqa: E501 (JavaScript)
_AT_END = "(e) => e.scrollHeight - e.scrollTop - e.clientHeight < 2"


def _turn(number: int) -> list[tuple[str, dict[str, Any]]]:
    message = {"messageId": f"m{number}"}
    ids = {**message, "blockId": f"b{number}"}
    text = f"Answer{number} {_TEXT}"
    prompt = {"messageId": f"u{number}", "clientMsgId": f"c{number}", "text": f"Prompt {number}"}
    return [
        ("user_message", prompt),
        ("turn_start", {"turnId": f"t{number}", "clientMsgId": f"c{number}"}),
        ("message_start", {**message, "turnId": f"t{number}", "role": "assistant"}),
        ("block_start", {**ids, "blockType": "text"}),
        ("block_end", {**ids, "content": text}),
        ("message_end", message),
        ("turn_end", {"turnId": f"t{number}", "stopReason": "end_turn"}),
    ]


def long_chat(chat: Chat, turns: int = TURNS) -> str:
    """Make a chat with so many turns; return its session."""
    session: str = chat.server.data.call("create_session", name=chat.name)
    for number in range(turns):
        chat.server.data.call("append_drafts", session=session, drafts=_turn(number))
    return session


async def _read_above(page: Page, pages: int = 3) -> tuple[str, float]:
    """Scroll up by so many pages; return the place."""
    await expect(page.locator(".answer").last).to_be_in_viewport()
    for _ in range(pages):
        # At the top the older messages have to come first. They move scrollTop, and nothing else.
        await expect(page.locator("#scroll")).not_to_have_js_property("scrollTop", 0)
        word, before = await _place(page)
        await page.locator("#prompt").press("PageUp")

        async def has_moved(word: str = word, before: float = before) -> bool:
            return bool(await page.evaluate(_TOP_OF, word) > before + 1)

        await eventually(has_moved, what="the page up")
    await expect(page.locator("#jump")).to_be_visible()
    return await _place(page)


async def _place(page: Page) -> tuple[str, float]:
    text, top = await page.evaluate(_PLACE)
    return str(text), float(top)


async def _is_back_at(page: Page, place: tuple[str, float]) -> None:
    async def is_back() -> bool:
        text, top = await _place(page)
        return text == place[0] and abs(top - place[1]) <= 4

    await eventually(is_back, what=f"the place {place}")


@pytest.mark.parametrize("pages", [2, 15])
async def test_a_reload_keeps_the_place(chat: Chat, pages: int) -> None:
    await chat.open(f"/s/{long_chat(chat)}")
    place = await _read_above(chat.page, pages)
    await chat.page.reload()
    await chat.live()
    await _is_back_at(chat.page, place)
    await expect(chat.page.locator("#jump")).to_have_text("Jump to latest")  # nothing is new
    await chat.prompt.press("Control+End")
    await expect(chat.page.locator("#jump")).to_be_hidden()
    await chat.page.reload()  # at the end there is no place to keep
    await expect(chat.answers.last).to_be_in_viewport()


async def test_another_chat_and_the_way_back_keep_the_place(chat: Chat) -> None:
    other = long_chat(chat, 3)
    await chat.open(f"/s/{long_chat(chat)}")
    place = await _read_above(chat.page)
    await chat.page.locator(f"a[href$='{other}']").click()
    await expect(chat.answers).to_have_count(3)
    await expect(chat.answers.last).to_be_in_viewport()
    await chat.page.go_back()
    await _is_back_at(chat.page, place)
    await chat.page.locator(f"a[href$='{other}']").click()
    await expect(chat.answers).to_have_count(3)
    await chat.page.goto(chat.url + "/login/")  # out of the page, and back into it
    await chat.page.go_back()
    await expect(chat.answers).to_have_count(3)
    await chat.page.go_back()
    await _is_back_at(chat.page, place)


async def test_the_button_tells_of_a_new_answer(chat: Chat) -> None:
    session = long_chat(chat, 12)
    await chat.open(f"/s/{session}")
    jump = chat.page.locator("#jump")
    await _read_above(chat.page, 1)
    await expect(jump).to_have_text("Jump to latest")
    chat.server.data.call("append_drafts", session=session, drafts=_turn(99))
    await expect(jump).to_have_text("New answer")
    await chat.page.reload()  # it is as new afterwards
    await expect(jump).to_have_text("New answer")
    await jump.click()
    await expect(chat.answers.last).to_contain_text("Answer99")
    await expect(chat.answers.last).to_be_in_viewport()
    await expect(jump).to_be_hidden()
    await _read_above(chat.page, 1)
    await expect(jump).to_have_text("Jump to latest")


async def test_keys_of_the_prompt_scroll_the_conversation(chat: Chat) -> None:
    await chat.open(f"/s/{long_chat(chat, 12)}")
    scroll = chat.page.locator("#scroll")
    await _read_above(chat.page, 2)

    async def is_at_the_top() -> bool:  # older messages come in above
        await chat.prompt.press("Control+Home")
        return bool(await scroll.evaluate("(e) => e.scrollTop === 0"))

    await eventually(is_at_the_top, what="the beginning")
    await expect(chat.prompt).to_be_focused()
    await chat.prompt.press("PageDown")
    assert await scroll.evaluate("(e) => e.scrollTop > e.clientHeight / 2")
    await chat.prompt.press("Control+End")
    assert await scroll.evaluate(_AT_END)

    async def leaves_out() -> bool:
        return bool(await scroll.evaluate(_LEAVES_OUT))

    await eventually(leaves_out, what="an item out of sight that is not laid out")
    await chat.prompt.fill("words")
    await chat.prompt.press("Control+Home")  # a caret's key, where there is a text
    assert await scroll.evaluate(_AT_END)
    assert await chat.prompt.evaluate("(e) => e.selectionStart") == 0


async def test_a_block_that_is_opened_at_the_end_stays_under_the_pointer(chat: Chat) -> None:
    answer = await Answer.begun(chat, "thinking")
    await answer.write("A thought of some length.\n" * 60)
    await answer.end()
    chat.server.data.call("append_drafts", session=answer.session, drafts=_turn(7))
    summary = chat.page.locator(".thinking summary")
    await expect(chat.answers).to_have_count(2)
    await expect(chat.answers.last).to_be_in_viewport()
    before = await summary.bounding_box()
    await summary.click()
    await expect(chat.page.locator(".thinking .block-body")).to_be_visible()
    await chat.page.evaluate("() => new Promise((go) => setTimeout(go, 100))")
    after = await summary.bounding_box()
    assert before
    assert after
    assert abs(after["y"] - before["y"]) <= 1
    await summary.click()
    await expect(chat.page.locator("#jump")).to_be_hidden()


async def test_messages_out_of_sight_are_left_out_part_by_part(chat: Chat) -> None:
    turns = 160
    session = long_chat(chat, turns)
    await chat.open(f"/s/{session}")
    await expect(chat.answers.last).to_be_in_viewport()

    async def is_whole() -> bool:
        await chat.prompt.press("Control+Home")
        return await chat.prompts.count() == turns

    await eventually(is_whole, what="the first prompt")
    chat.server.data.call("append_drafts", session=session, drafts=_turn(turns))
    await expect(chat.prompts).to_have_count(turns + 1)
    prompts = [text for role, text in await chat.transcript() if role == "prompt"]
    assert prompts == [f"Prompt {number}" for number in range(turns + 1)]
    await chat.prompt.press("Control+End")

    async def is_left_out() -> bool:
        sizes, shown = await chat.page.evaluate(_PARTS)
        assert sum(sizes) == 2 * (turns + 1)
        return max(sizes) <= 16 and shown <= 3 < len(sizes)

    await eventually(is_left_out, what="a part that is left out")


async def _drag_down(page: Page, px: int) -> None:
    """Move a finger that rests on the transcript, which scrolls up by as much."""
    cdp = await page.context.new_cdp_session(page)
    await cdp.send("Emulation.setTouchEmulationEnabled", {"enabled": True})
    box = await page.locator("#scroll").bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + 60
    for kind, down in [("Start", 0), *[("Move", px * part / 4) for part in range(1, 5)]]:
        points = [{"x": x, "y": y + down}]
        await cdp.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points})
    await cdp.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    await cdp.detach()


@pytest.mark.parametrize("way", ["wheel", "key", "finger"])
async def test_a_short_way_up_is_not_undone_by_an_answer_that_grows(chat: Chat, way: str) -> None:
    await chat.page.set_viewport_size({"width": 900, "height": 500})
    answer = await Answer.begun(chat)
    await answer.write(_TEXT * 4)
    scroll = chat.page.locator("#scroll")
    await expect(chat.answers.last).to_contain_text(_TEXT.strip())

    async def grow() -> None:
        while True:
            await answer.write("More of it.\n\n")
            await asyncio.sleep(0.02)

    growing = asyncio.create_task(grow())
    try:
        if way == "wheel":
            await scroll.hover()
            await chat.page.mouse.wheel(0, -30)
        elif way == "finger":
            await _drag_down(chat.page, 40)
        else:
            await scroll.focus()
            await chat.page.keyboard.press("ArrowUp")
        await expect(chat.page.locator("#jump")).to_be_visible()
        top = await scroll.evaluate(_RESTS)
        more = await scroll.evaluate("(e) => e.scrollHeight")
        await eventually(
            lambda: scroll.evaluate("(e, more) => e.scrollHeight > more + 100", more), what="growth"
        )
        assert await scroll.evaluate("(e) => e.scrollTop") == top
    finally:
        growing.cancel()
        await asyncio.gather(growing, return_exceptions=True)
    await scroll.hover()
    await chat.page.mouse.wheel(0, 10_000)
    await expect(chat.page.locator("#jump")).to_be_hidden()


async def _long(chat: Chat) -> tuple[Answer, Locator]:
    """Begin an answer longer than the window; return it and its scroller, which is recorded."""
    await chat.page.set_viewport_size({"width": 900, "height": 500})
    answer = await Answer.begun(chat)
    await answer.write(_TEXT * 4)
    scroll = chat.page.locator("#scroll")
    await expect(chat.answers.last).to_contain_text(_TEXT.strip())
    await scroll.evaluate(_RECORD_FOLLOWING)
    return answer, scroll


async def test_a_wheel_that_a_box_within_takes_leaves_the_reader_at_the_end(chat: Chat) -> None:
    answer, scroll = await _long(chat)
    # The event of a wheel alone: a box within the transcript has scrolled in its place.
    await scroll.dispatch_event("wheel", {"deltaY": -100})
    await eventually(
        lambda: chat.page.evaluate("window.following.length === 2"), what="the end, once more"
    )
    assert await chat.page.evaluate("window.following") == [False, True]
    await answer.write("The last words of it.")
    await expect(chat.page.get_by_text("The last words of it.")).to_be_in_viewport()
    assert await scroll.evaluate(_AT_END)


async def test_content_that_becomes_shorter_leaves_its_reader_at_the_end(chat: Chat) -> None:
    answer, scroll = await _long(chat)
    # The position is clamped at once, since it is read before the next frame.
    await scroll.evaluate(_SHORTER)
    await chat.page.evaluate(_FRAMES)
    assert await chat.page.evaluate("window.following") == []
    await answer.write("The last words of it.")
    await expect(chat.page.get_by_text("The last words of it.")).to_be_in_viewport()
    # A reader above it is at the end when so much is gone, and follows it from then on.
    await chat.prompt.press("PageUp")
    await expect(chat.page.locator("#jump")).to_be_visible()
    await scroll.evaluate("(e) => { e.querySelector('.prompt').style.display = 'none'; }")
    await scroll.evaluate("(e) => { e.querySelector('.answer').style.display = 'none'; }")
    await expect(chat.page.locator("#jump")).to_be_hidden()
