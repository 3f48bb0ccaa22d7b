"""Decisions: nothing is approved that a person cannot have read, and the card shows all of it."""

import asyncio
import time

from playwright.async_api import expect

from tests.browser.chat import Chat
from tests.browser.permission_requests import Requests

THREE = ({"command": "ls -l"}, {"command": "curl x | sh"}, {"command": "rm -rf ~"})


async def test_a_held_key_approves_one_request(chat: Chat) -> None:
    requests = await Requests.opened(chat)
    await requests.ask(*THREE)
    await expect(requests.armed).to_have_count(1)
    await chat.page.keyboard.press("Alt+p")
    await expect(requests.cards).to_be_focused()
    await expect(requests.armed).to_have_count(1)
    until = time.monotonic() + 2.5
    while time.monotonic() < until:
        await chat.page.keyboard.down("1")  # as often as a held key repeats
        await asyncio.sleep(0.03)
    await chat.page.keyboard.up("1")
    assert requests.answered() == ["p1"]
    await expect(requests.cards).to_contain_text("curl x | sh")


async def test_a_held_enter_on_a_button_approves_one_request(chat: Chat) -> None:
    requests = await Requests.opened(chat)
    await requests.ask(*THREE)
    await requests.armed.get_by_role("button", name="Allow once").focus()
    until = time.monotonic() + 2.0
    while time.monotonic() < until:
        await chat.page.keyboard.down("Enter")
        await asyncio.sleep(0.03)
    await chat.page.keyboard.up("Enter")
    assert requests.answered() == ["p1"]


async def test_a_double_click_approves_one_request(chat: Chat) -> None:
    requests = await Requests.opened(chat)
    await requests.ask(*THREE)
    box = await requests.armed.get_by_role("button", name="Allow once").bounding_box()
    assert box is not None
    at = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    await chat.page.mouse.click(*at)
    await expect(requests.cards).to_contain_text("curl x | sh")
    await chat.page.mouse.click(*at)  # 250 ms later at most, on what has taken the place
    await expect(requests.cards).to_contain_text("curl x | sh")
    assert requests.answered() == ["p1"]
    await chat.page.mouse.dblclick(*at)
    assert requests.answered() == ["p1"]


async def test_a_card_waits_after_a_press_elsewhere(chat: Chat) -> None:
    requests = await Requests.opened(chat)
    await requests.ask(*THREE)
    await expect(requests.armed).to_have_count(1)
    box = await requests.cards.get_by_role("button", name="Allow once").bounding_box()
    assert box is not None
    await chat.page.mouse.click(5, 300)
    await chat.page.mouse.click(box["x"] + 5, box["y"] + 5)
    assert requests.answered() == []
    await requests.armed.get_by_role("button", name="Allow once").click()
    await expect(requests.cards).to_contain_text("curl x | sh")
    assert requests.answered() == ["p1"]


async def test_one_card_is_live_and_the_others_are_counted(chat: Chat) -> None:
    requests = await Requests.opened(chat)
    await requests.ask(*THREE)
    queue = chat.page.locator(".permission-queue")
    await expect(queue).to_have_text("2 more requests wait behind this one.")
    for command in ("ls -l", "curl x | sh", "rm -rf ~"):
        await expect(requests.cards).to_have_count(1)
        await expect(requests.cards).to_contain_text(command)
        await requests.armed.get_by_role("button", name="Reject").click()
    await expect(requests.cards).to_have_count(0)
    await expect(chat.page.locator("#permissions")).to_be_hidden()
    assert requests.answered() == ["p1", "p2", "p3"]


async def test_an_answer_names_the_session_of_the_card(chat: Chat) -> None:
    requests = await Requests.opened(chat)
    await requests.ask({"command": "ls"})
    await requests.armed.get_by_role("button", name="Allow once").click()
    await expect(requests.cards).to_have_count(0)
    assert requests.answers == [
        {"sessionId": requests.session, "permId": "p1", "optionId": "allow"}
    ]


async def test_a_long_command_is_shown_whole_and_says_that_it_goes_on(chat: Chat) -> None:
    requests = await Requests.opened(chat)
    command = "ls -l" + "\n" * 400 + "rm -rf ~"
    await requests.ask({"command": command, "cwd": "/srv/site"}, title="List the files")
    card = requests.cards
    pre = card.locator("pre").first
    assert await pre.text_content() == command
    await expect(card).to_contain_text("The agent calls it: List the files")
    await expect(card).to_contain_text("/srv/site")
    await expect(card.locator(".permission-more")).to_contain_text("more lines below")
    await expect(card.get_by_role("button", name="Reject")).to_be_in_viewport(ratio=1)
    await expect(requests.armed).to_have_count(1)
    action = card.locator(".permission-action")
    await action.evaluate("(box) => box.scrollTo(0, box.scrollHeight)")
    await expect(card.locator(".permission-more")).to_be_hidden()


async def test_a_card_fits_the_smallest_screens(chat: Chat) -> None:
    await chat.page.set_viewport_size({"width": 320, "height": 420})
    requests = await Requests.opened(chat)
    await requests.ask({"command": "echo\n" * 100}, title="A label of an action " * 30)
    await expect(requests.armed).to_have_count(1)
    assert await chat.overflow_px() <= 0


async def test_what_hides_in_a_command_is_marked(chat: Chat) -> None:
    requests = await Requests.opened(chat)
    command = "echo \u202egnp.exe\u2069 \u200bls\U000e0072\U000e006d\u3164 a\rb"
    await requests.ask({"command": command}, title="safe\u202e", toolName="run\u200b")
    card = requests.cards
    assert await card.locator("pre").text_content() == (
        "echo ⟨U+202E⟩gnp.exe⟨U+2069⟩ ⟨U+200B⟩ls⟨U+E0072⟩⟨U+E006D⟩⟨U+3164⟩ a⟨U+000D⟩b"
    )
    await expect(card).to_contain_text("Allow run⟨U+200B⟩?")
    await expect(card).to_contain_text("safe⟨U+202E⟩")


async def test_an_action_that_is_not_known_says_so_and_is_never_allowed_always(chat: Chat) -> None:
    requests = await Requests.opened(chat)
    await requests.ask({}, title="Read the README")
    card = requests.cards
    warning = card.locator(".permission-warning")
    await expect(warning).to_have_text("The agent did not say what it will do.")
    red = await chat.page.evaluate(
        "getComputedStyle(document.querySelector('.permission-warning')).color"
        " === getComputedStyle(Object.assign(document.body.appendChild("
        "document.createElement('i')), {style: 'color: var(--bad)'})).color"
    )
    assert red
    labels = await card.locator(".permission-options button").all_inner_texts()
    assert [label.split("\n")[-1] for label in labels] == ["Allow once", "Reject"]
    await expect(card.locator("button.primary")).to_have_count(0)
    await expect(requests.armed).to_have_count(1)
    await card.focus()
    await chat.page.keyboard.press("3")
    assert requests.answered() == []


async def test_a_title_of_a_chat_hides_nothing(chat: Chat) -> None:
    requests = await Requests.opened(chat)
    await requests.append([("title_changed", {"title": "a\u202eb 👩\u200d💻"})])
    await expect(chat.page.locator("#title")).to_have_text("a⟨U+202E⟩b 👩\u200d💻")
    await expect(chat.page.locator(".row-title")).to_have_text("a⟨U+202E⟩b 👩\u200d💻")
