"""Prompts that wait, above the composer: the same on every device, each in a person's hand."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.browser.chat import Chat, eventually
from tests.support.server import Server

PHONE = {"width": 390, "height": 780}
DESKTOP = {"width": 1200, "height": 800}


def rows(page: Page):
    return page.locator(".waiting-row")


async def queue(chat: Chat, *texts: str) -> None:
    """Let an answer run, and queue prompts behind it."""
    await chat.open()
    await chat.send("/slow 600")
    await expect(chat.last_answer()).to_contain_text("word2")
    for number, text in enumerate(texts, 1):
        await chat.send(text)
        await expect(rows(chat.page)).to_have_count(number)


async def end(chat: Chat) -> None:
    await chat.page.get_by_role("button", name="Stop", exact=True).click()


async def test_a_double_click_takes_back_one_prompt(chat: Chat) -> None:
    await queue(chat, "/slow 1", "/slow 2")
    # The second press of a double click, on what has moved up to its place.
    press = "(button) => button.dispatchEvent(new MouseEvent('click', {bubbles: true, detail: 2}))"
    await rows(chat.page).first.get_by_role("button", name="Remove").evaluate(press)
    await rows(chat.page).nth(1).get_by_role("button", name="Remove").click()
    await expect(chat.deliveries.nth(2)).to_have_text("Taken back")
    await end(chat)
    await expect(chat.deliveries).to_have_text(["Interrupted", "Answered", "Taken back"])


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
async def test_a_prompt_that_waits_is_edited_moved_and_removed_on_every_device(
    chat: Chat, size: dict[str, int]
) -> None:
    await chat.page.set_viewport_size(size)
    await queue(chat, "/slow 1", "/slow 2", "/slow 3")
    other = Chat(await chat.page.context.new_page(), chat.server, chat.name)
    await other.open(f"/s/{chat.session}")
    await expect(rows(other.page)).to_have_count(3)
    first, second, third = (rows(chat.page).nth(n) for n in range(3))
    await third.get_by_role("button", name="Move up").click()
    for page in (chat.page, other.page):
        await expect(rows(page).locator(".waiting-text")).to_have_text(
            ["/slow 1", "/slow 3", "/slow 2"]
        )
    await second.get_by_role("button", name="Edit").click()
    field = chat.page.locator(".waiting-form textarea")
    await field.fill("/slow 4")
    await field.press("Enter")  # as in the composer
    await expect(field).to_have_count(0)
    await expect(rows(other.page).locator(".waiting-text")).to_have_text(
        ["/slow 1", "/slow 4", "/slow 2"]
    )
    await rows(other.page).nth(2).get_by_role("button", name="Remove").click()
    await expect(rows(chat.page)).to_have_count(2)
    await expect(chat.deliveries.nth(2)).to_have_text("Taken back")
    await chat.page.locator("#line").hover()
    for part in (chat.deliveries.nth(2), chat.page.locator(".delivery-meta").nth(2)):
        await expect(part).to_have_css("opacity", "1")  # no answer tells it
    box = await first.bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= size["width"]
    await end(chat)
    await expect(chat.deliveries).to_have_text(
        ["Interrupted", "Answered", "Taken back", "Answered"]
    )
    await expect(chat.page.locator("#waiting")).to_be_hidden()
    begun = [e["clientMsgId"] for e in chat.log() if e["type"] == "turn_start"]
    sent = [e["clientMsgId"] for e in chat.log() if e["type"] == "user_message"]
    assert begun == [sent[0], sent[1], sent[3]]
    answers = [e["content"].split()[-1] for e in chat.log() if e["type"] == "block_end"]
    assert answers[1:] == ["word1", "word4"]


def begun(chat: Chat) -> list[int]:
    """Return the prompts that the agent has begun, by their places among those sent."""
    sent = [e["clientMsgId"] for e in chat.log() if e["type"] == "user_message"]
    return [sent.index(e["clientMsgId"]) for e in chat.log() if e["type"] == "turn_start"]


async def boxes(chat: Chat) -> list[dict[str, float]]:
    """Return where the buttons of the composer are."""
    buttons = await chat.page.locator(".composer-buttons button:visible").all()
    found = [await button.bounding_box() for button in buttons]
    return [box for box in found if box]


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
async def test_while_the_agent_works_a_prompt_is_queued_or_sent_now_by_a_labelled_button(
    browser: Browser, chat_server: Server, size: dict[str, int]
) -> None:
    is_phone = size is PHONE
    context = await browser.new_context(viewport=size, has_touch=is_phone, is_mobile=is_phone)
    chat = await Chat.of(await context.new_page(), chat_server, f"steers{size['width']}")
    await chat.open()
    now = chat.page.locator("#composer").get_by_role("button", name="Send now")
    queue_it = chat.page.get_by_role("button", name="Queue the prompt")
    press = Locator.tap if is_phone else Locator.click
    await chat.prompt.fill("/slow 600")
    await expect(now).to_have_count(0)
    await press(chat.page.get_by_role("button", name="Send the prompt"))
    await expect(chat.last_answer()).to_contain_text("word2")
    await expect(queue_it).to_have_text("Queue")
    empty = await boxes(chat)
    await press(now)  # nothing is written: nothing is sent
    await chat.prompt.fill("/slow 1")
    assert await boxes(chat) == empty  # nothing jumps
    assert all(min(box["width"], box["height"]) >= 40 for box in empty)
    assert await chat.overflow_px() <= 0
    await press(queue_it)
    await expect(rows(chat.page)).to_have_count(1)
    await chat.prompt.fill("/slow 2")
    # A stop that is not obeyed yet has a longer word: the others stay where they are.
    await chat.page.locator("#stop").evaluate("(stop) => (stop.dataset.step = 'stop')")
    assert (await boxes(chat))[-2:] == empty[-2:]
    await press(now)
    await expect(chat.deliveries).to_have_text(["Interrupted", "Answered", "Answered"])
    assert begun(chat) == [0, 2, 1]
    await expect(now).to_be_hidden()
    await expect(chat.prompt).to_have_value("")
    await expect(chat.page.locator(".queue-label")).to_be_hidden()
    await context.close()


async def test_control_enter_goes_before_prompts_that_wait(chat: Chat) -> None:
    await queue(chat, "/slow 1")
    await expect(chat.page.locator("#composer-hint")).to_contain_text("Enter queues, Ctrl")
    await chat.prompt.fill("/slow 2")
    await chat.prompt.press("Control+Enter")
    await expect(chat.deliveries).to_have_text(["Interrupted", "Answered", "Answered"])
    assert begun(chat) == [0, 2, 1]
    await expect(chat.page.locator("#composer-hint")).to_contain_text("Enter sends")


async def test_the_focus_is_in_the_prompt_when_send_now_is_gone(chat: Chat) -> None:
    await chat.open()
    await chat.send("/slow 300")
    now = chat.page.locator("#composer").get_by_role("button", name="Send now")
    await now.focus()
    await end(chat)
    await expect(now).to_be_hidden()
    await expect(chat.prompt).to_be_focused()


async def test_a_prompt_that_is_sent_now_without_a_connection_goes_next_once_it_is_back(
    chat: Chat,
) -> None:
    await queue(chat, "/slow 1")
    send = "**/api/chat/send"
    await chat.page.route(send, lambda route: route.abort())
    await chat.prompt.fill("/slow 2")
    await chat.prompt.press("Control+Enter")
    await expect(chat.prompts).to_have_count(3)
    await chat.page.reload()
    await chat.live()
    await chat.page.unroute(send)
    await expect(chat.deliveries).to_have_text(["Interrupted", "Answered", "Answered"])
    assert begun(chat) == [0, 2, 1]


async def test_send_now_stops_the_answer_and_continues_with_that_prompt(chat: Chat) -> None:
    await queue(chat, "/slow 1", "/slow 2")
    await rows(chat.page).nth(1).get_by_role("button", name="Send now").click()
    await expect(chat.deliveries).to_have_text(["Interrupted", "Answered", "Answered"])
    sent = [e["clientMsgId"] for e in chat.log() if e["type"] == "user_message"]
    begun = [e["clientMsgId"] for e in chat.log() if e["type"] == "turn_start"]
    assert begun == [sent[0], sent[2], sent[1]]


async def test_a_text_that_is_written_when_the_agent_takes_the_prompt_is_not_lost(
    chat: Chat,
) -> None:
    await queue(chat, "/slow 1")
    await rows(chat.page).get_by_role("button", name="Edit").click()
    await chat.page.locator(".waiting-form textarea").fill("/slow 5 please")
    await end(chat)
    await expect(chat.page.locator("#waiting")).to_be_hidden()

    async def is_kept() -> bool:
        """Return whether it came before the agent took the prompt, or is in the composer."""
        runs = "/slow 5 please" in (await chat.prompts.nth(1).text_content() or "")
        return runs or await chat.prompt.input_value() == "/slow 5 please"

    await eventually(is_kept, what="the text")
    await expect(chat.deliveries.nth(1)).to_have_text("Answered")


async def test_an_edit_of_a_prompt_that_another_device_has_edited_is_refused(chat: Chat) -> None:
    await queue(chat, "/slow 1")
    other = Chat(await chat.page.context.new_page(), chat.server, chat.name)
    await other.open(f"/s/{chat.session}")
    for tab, text in ((chat.page, "/slow 2"), (other.page, "/slow 3")):
        await rows(tab).get_by_role("button", name="Edit").click()
        await tab.locator(".waiting-form textarea").fill(text)
    await chat.page.get_by_role("button", name="Save").click()
    await expect(chat.page.locator(".waiting-form")).to_have_count(0)
    await other.page.get_by_role("button", name="Save").click()
    await expect(other.page.locator("#toasts")).to_contain_text("edited on another device")
    await expect(other.page.locator(".waiting-form textarea")).to_have_value("/slow 3")
    assert [e["text"] for e in chat.log() if e["type"] == "prompt_edited"] == ["/slow 2"]
    await end(chat)
