"""The actions of a message: by mouse, by keyboard, by touch."""

from playwright.async_api import Browser, Locator, expect

from tests.browser.chat import Chat, eventually
from tests.support.server import Server

_OPACITY = "(e) => Number(getComputedStyle(e).opacity)"
_SMALLEST = """(list) => Math.min(...[...list.querySelectorAll(".item-actions > button")]
  .filter((button) => button.offsetParent)
  .flatMap((button) => [button.offsetWidth, button.offsetHeight]))"""


def texts(chat: Chat) -> list[str]:
    return [event["text"] for event in chat.log() if event["type"] == "user_message"]


async def is_seen(actions: Locator, *, opacity: float = 1) -> None:
    await expect(actions).to_have_css("opacity", str(int(opacity)))


async def test_a_pointer_over_a_prompt_shows_what_can_be_done_with_it(chat: Chat) -> None:
    await chat.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await chat.open()
    await chat.ask("/slow 1")
    await chat.ask("/slow 2")
    first = chat.prompts.first
    actions = first.locator(".item-actions")
    await chat.prompt.hover()
    await is_seen(actions, opacity=0)
    await first.hover()
    await is_seen(actions)
    await actions.get_by_role("button", name="Copy this prompt").click()
    await expect(actions.get_by_role("button", name="Copy this prompt")).to_have_text("Copied")
    assert await chat.page.evaluate("navigator.clipboard.readText()") == "/slow 1"
    await chat.prompt.fill("Before")
    await actions.get_by_role("button", name="Edit").click()
    await expect(chat.prompt).to_have_value("Before\n\n/slow 1")  # nothing written is lost
    await expect(chat.prompt).to_be_focused()
    await actions.get_by_role("button", name="Send again").dblclick()
    await chat.answered(3)
    assert texts(chat) == ["/slow 1", "/slow 2", "/slow 1"]  # once, not twice


async def test_an_answer_is_tried_again_by_keyboard(chat: Chat) -> None:
    await chat.open()
    await chat.ask("/slow 1")
    await chat.ask("/slow 2")
    foot = chat.answers.first.locator(".answer-foot")
    again = foot.get_by_role("button", name="Try again")
    await again.focus()
    await is_seen(foot)
    await chat.page.keyboard.press("Enter")
    await chat.answered(3)
    assert texts(chat) == ["/slow 1", "/slow 2", "/slow 1"]


async def test_an_answer_that_was_stopped_can_be_tried_again(chat: Chat) -> None:
    await chat.open()
    await chat.send("/slow 300")
    await expect(chat.last_answer()).to_contain_text("word2")
    await chat.prompt.press("Escape")
    ending = chat.page.locator(".ending")
    await ending.get_by_role("button", name="Edit").click()
    await expect(chat.prompt).to_have_value("/slow 300")
    await chat.prompt.fill("")
    await ending.get_by_role("button", name="Try again").click()
    await expect(chat.deliveries).to_have_text(["Interrupted", ""])
    await chat.prompt.press("Escape")
    await expect(chat.deliveries).to_have_text(["Interrupted", "Interrupted"])


async def test_on_touch_the_actions_are_there_and_large_enough(
    browser: Browser, chat_server: Server
) -> None:
    context = await browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    chat = await Chat.of(await context.new_page(), chat_server, "thumb")
    await chat.open()
    await expect(chat.prompt).to_have_attribute("enterkeyhint", "enter")  # it makes a line
    # No field takes the focus on its own: a keyboard would cover half of the screen.
    assert await chat.page.evaluate("document.activeElement === document.body")
    await chat.prompt.fill("/slow 8")
    await chat.page.locator("#send").tap()
    await expect(chat.page.get_by_role("button", name="Stop", exact=True)).to_be_visible()
    await expect(chat.deliveries).to_have_text("Answered")
    for actions in (chat.prompts.locator(".item-actions"), chat.answers.locator(".answer-foot")):
        await is_seen(actions)
    assert await chat.page.locator("#transcript").evaluate(_SMALLEST) >= 40
    await chat.prompts.get_by_role("button", name="Send again").tap()
    await chat.answered(2)
    foot = await chat.answers.first.locator(".answer-foot").bounding_box()
    below = await chat.prompts.last.bounding_box()
    assert foot
    assert below
    assert below["y"] - (foot["y"] + foot["height"]) >= 20  # a thumb hits one of them
    assert await chat.overflow_px() <= 0
    await context.close()


async def test_the_arrows_walk_all_prompts_of_the_chat(chat: Chat) -> None:
    session = chat.server.data.call("create_session", name=chat.name)
    await chat.open(f"/s/{session}")
    for number in (1, 2, 3):
        await chat.ask(f"/slow {number}")
    for key, text in (
        ("ArrowUp", "/slow 3"),
        ("ArrowUp", "/slow 2"),
        ("ArrowUp", "/slow 1"),
        ("ArrowUp", "/slow 1"),
        ("ArrowDown", "/slow 2"),
        ("ArrowDown", "/slow 3"),
        ("ArrowDown", ""),
        ("ArrowUp", "/slow 3"),
    ):
        await chat.prompt.press(key)
        await expect(chat.prompt).to_have_value(text)
    await chat.prompt.press("End")
    await chat.prompt.press_sequentially("0")
    await chat.prompt.press("ArrowUp")  # moves the caret alone, now
    await expect(chat.prompt).to_have_value("/slow 30")


async def test_the_arrows_reach_prompts_that_are_not_loaded(chat: Chat) -> None:
    session = chat.server.data.call("create_session", name=chat.name)
    prompts = [
        ("user_message", {"messageId": f"m{n}", "clientMsgId": f"c{n}", "text": f"p{n}"})
        for n in range(120)
    ]
    chat.server.data.call("append_drafts", session=session, drafts=prompts)
    await chat.open(f"/s/{session}")
    await expect(chat.prompts.last).to_contain_text("p119")

    async def walked() -> bool:
        await chat.prompt.press("ArrowUp")
        return await chat.prompt.input_value() == "p0"

    await eventually(walked, within_s=60, what="the first prompt")
