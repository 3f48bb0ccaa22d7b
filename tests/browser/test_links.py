"""A link to a message: copied from its actions, it opens the chat at that message."""

from playwright.async_api import Browser, expect

from tests.browser.chat import Chat
from tests.browser.test_reading import long_chat
from tests.support.server import Server

_COPIED = "navigator.clipboard.readText()"


async def test_a_link_opens_the_chat_at_a_message_that_is_not_loaded(chat: Chat) -> None:
    session = long_chat(chat)
    page = chat.page
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await chat.open(f"/s/{session}")
    answers = [e["seq"] for e in chat.log() if e["type"] == "message_start"]
    last = page.locator(".answer").last
    await last.hover()
    await last.get_by_role("button", name="Copy link to this answer").click()
    await expect(last.get_by_role("button", name="Copy link")).to_have_text("Copied")
    link = f"{chat.url}/s/{session}#m"
    assert await page.evaluate(_COPIED) == f"{link}{answers[-1]}"

    tab = await page.context.new_page()
    await tab.goto(f"{link}{answers[5]}")
    found = tab.locator(".item.is-found")
    await expect(found).to_contain_text("Answer5 ")
    await expect(found).to_be_in_viewport()
    # From one message of a chat to another one.
    await tab.evaluate("(link) => (location.href = link)", f"{link}{answers[40]}")
    await expect(found).to_contain_text("Answer40 ")
    await expect(found).to_be_in_viewport()
    assert await tab.evaluate("document.activeElement.tagName") != "BODY"


async def test_on_a_phone_a_thumb_copies_a_link_and_nothing_is_beside_the_window(
    browser: Browser, chat_server: Server
) -> None:
    context = await browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    chat = await Chat.of(await context.new_page(), chat_server, "links")
    await chat.open()
    await chat.prompt.fill("/slow 3")
    await chat.page.locator("#send").tap()
    await expect(chat.deliveries).to_have_text("Answered")
    for words, role in (("this prompt", "user_message"), ("this answer", "message_start")):
        button = chat.page.get_by_role("button", name=f"Copy link to {words}")
        box = await button.bounding_box()
        assert box
        assert min(box["width"], box["height"]) >= 40
        await button.tap()
        await expect(button).to_have_text("Copied")
        [seq] = [event["seq"] for event in chat.log() if event["type"] == role]
        assert await chat.page.evaluate(_COPIED) == f"{chat.page.url}#m{seq}"
    assert await chat.overflow_px() <= 0
    await context.close()


async def test_a_prompt_that_the_server_does_not_have_has_no_link(chat: Chat) -> None:
    await chat.open()
    await chat.page.route("**/api/chat/send", lambda route: route.abort())
    await chat.send("/slow 1")
    actions = chat.prompts.locator(".item-actions")
    await expect(actions.get_by_role("button", name="Copy this prompt")).to_be_attached()
    await expect(actions.get_by_role("button", name="Copy link to this prompt")).to_be_hidden()
    await chat.page.unroute("**/api/chat/send")
    await chat.answered(1)
    await expect(actions.get_by_role("button", name="Copy link to this prompt")).to_be_visible()
