"""Decisions: nothing is approved that a person cannot have read, and the card shows all of it."""

import asyncio
import re
import time
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import expect

from tests.browser.chat import Chat
from tests.browser.permission_requests import ALLOW, REJECT, Requests

EDGES: Final = Path(__file__).with_name("edges.js").read_text(encoding="utf-8")
# The lines of a text of which the beginning is on the screen, under nothing else.
LINES_IN_SIGHT: Final = """(pre) => {
  const text = pre.firstChild;
  const range = document.createRange();
  let at = 0;
  return text.data.split("\\n").filter((line) => {
    range.setStart(text, at);
    range.setEnd(text, at + line.length);
    at += line.length + 1;
    const { left, top, bottom } = range.getBoundingClientRect();
    return [top + 1, bottom - 1].every((y) => document.elementFromPoint(left + 1, y) === pre);
  }).length;
}"""
MARKED: Final = re.compile(r"^Marks such as ⟨U\+202E⟩ stand for characters that cannot be seen")
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


# A button acts on the first Enter. It acts on Space when the key is let go, which a repeat spoils.
@pytest.mark.parametrize(("key", "decided"), [("Enter", 1), ("Space", 0)])
async def test_a_key_held_on_a_button_approves_one_request_at_most(
    chat: Chat, key: str, decided: int
) -> None:
    requests = await Requests.opened(chat)
    await requests.ask(*THREE)
    await requests.armed.get_by_role("button", name="Allow once").focus()
    until = time.monotonic() + 2.0
    while time.monotonic() < until:
        await chat.page.keyboard.down(key)
        await asyncio.sleep(0.03)
    await chat.page.keyboard.up(key)
    await expect(requests.cards).to_contain_text("curl x | sh" if decided else "ls -l")
    assert len(requests.answers) == decided


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
    place = requests.cards.locator(".permission-place")
    status = chat.page.locator("#permissions").get_by_role("status")
    left = requests.cards.locator(".permission-left")
    await expect(left).to_have_text(re.compile(r"^Denied automatically in \d+ days$"))
    for command, waits in (("ls -l", "1 of 3"), ("curl x | sh", "1 of 2"), ("rm -rf ~", "")):
        await expect(requests.cards).to_have_count(1)
        await expect(requests.cards).to_contain_text(command)
        await expect(place).to_have_text(waits)
        await expect(status).to_have_text(waits and f"Request {waits}")
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
        {"sessionId": requests.session, "permId": "p1", "optionId": "allow", "digest": "d1"}
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
    await expect(card.get_by_role("button", name="Show all 402 lines")).to_be_visible()
    await expect(card.get_by_role("button", name="Reject")).to_be_in_viewport(ratio=1)
    await expect(requests.armed).to_have_count(1)
    # Its end was not on the screen yet: it can be rejected, not allowed.
    allow = card.get_by_role("button", name="Allow once")
    await expect(allow).to_have_attribute("aria-disabled", "true")
    await expect(card.get_by_role("button", name="Reject")).to_have_attribute(
        "aria-disabled", "false"
    )
    await allow.dispatch_event("click")
    await card.press("1")
    await expect(requests.armed).to_have_count(1)
    assert requests.answers == []
    action = card.locator(".permission-action")
    await action.evaluate("(box) => box.scrollTo(0, box.scrollHeight)")
    await expect(card.locator(".permission-more")).to_be_hidden()
    await expect(allow).to_have_attribute("aria-disabled", "false")
    await allow.click()
    await expect(requests.cards).to_have_count(0)
    assert requests.answered() == ["p1"]


async def test_forty_lines_of_a_command_are_in_sight_at_once(chat: Chat) -> None:
    await chat.page.set_viewport_size({"width": 1440, "height": 900})
    requests = await Requests.opened(chat)
    command = "\n".join(f"echo {number} of forty lines" for number in range(1, 41))
    forty = {"command": command, "description": "Print forty lines"}
    await requests.ask(forty, *THREE, toolKind="execute")
    await expect(requests.armed).to_have_count(1)
    card = requests.cards
    assert await card.locator("pre").first.evaluate(LINES_IN_SIGHT) == 40
    await expect(card.get_by_text("Print forty lines")).to_be_in_viewport(ratio=1)
    await expect(card.locator(".permission-more")).to_be_hidden()
    await expect(card.get_by_role("button", name="Allow once")).to_have_attribute(
        "aria-disabled", "false"
    )
    talk = await chat.page.locator("#scroll").bounding_box()
    assert talk is not None
    assert talk["height"] >= 96
    await expect(chat.prompt).to_be_in_viewport(ratio=1)
    assert await chat.page.evaluate(EDGES, False) == []


async def test_a_longer_command_takes_all_the_room_by_a_press(chat: Chat) -> None:
    await chat.page.set_viewport_size({"width": 1440, "height": 900})
    requests = await Requests.opened(chat)
    command = "\n".join(f"echo {number} of sixty lines" for number in range(1, 61))
    await requests.ask({"command": command}, toolKind="execute")
    await expect(requests.armed).to_have_count(1)
    card, action = requests.cards, requests.cards.locator(".permission-action")
    await expect(action).to_have_css("mask-image", re.compile("gradient"))
    at_first = await card.locator("pre").evaluate(LINES_IN_SIGHT)
    await card.get_by_role("button", name="Show all 60 lines").click()
    await expect(action).to_be_focused()
    assert at_first < await card.locator("pre").evaluate(LINES_IN_SIGHT) < 60
    await expect(card.locator(".permission-more")).to_contain_text("more lines below")
    await expect(requests.armed).to_have_count(1)
    allow = card.get_by_role("button", name="Allow once")
    await expect(allow).to_have_attribute("aria-disabled", "true")
    await action.press("End")
    await expect(card.locator(".permission-more")).to_be_hidden()
    await expect(action).to_have_css("mask-image", "none")
    await allow.click()
    await expect(requests.cards).to_have_count(0)
    assert requests.answered() == ["p1"]


async def test_the_answers_to_a_long_command_are_in_reach_in_each_window(chat: Chat) -> None:
    await chat.page.emulate_media(reduced_motion="reduce")  # the list of chats is away at once
    requests = await Requests.opened(chat)
    long = {"command": "echo a line\n" * 60, "description": "Print sixty lines"}
    await requests.ask(long, *THREE, title="Sixty lines", toolKind="execute")
    await expect(requests.armed).to_have_count(1)
    for width, height in ((320, 256), (390, 508), (720, 450), (844, 390), (1440, 900)):
        await chat.page.set_viewport_size({"width": width, "height": height})
        await expect(requests.cards).to_be_in_viewport(ratio=0.98)  # else it is never armed
        assert await chat.page.evaluate(EDGES, False) == [], (width, height)


async def test_an_action_that_came_cut_is_loaded_whole_before_it_can_be_allowed(chat: Chat) -> None:
    requests = await Requests.opened(chat)
    command = "ls -l\n" * 50_000 + "rm -rf ~"
    ids, tool = {"messageId": "m"}, {"toolId": "t"}
    block = {**ids, "blockId": "m.1"}
    start = {"blockType": "tool_use", "toolName": "run", "toolKind": "execute", **tool}
    await requests.append(
        [
            ("message_start", {**ids, "turnId": "t", "role": "assistant"}),
            ("block_start", {**block, **start}),
            ("block_end", {**block, "content": "ls", "input": {"command": command}}),
        ]
    )
    await requests.ask({"command": command})
    card = requests.cards
    await expect(card).to_contain_text("This is the beginning of the action")
    await expect(requests.armed).to_have_count(1)
    allow = card.get_by_role("button", name="Allow once")
    # The end of the beginning is not the end of the action.
    scroll = "(box) => box.scrollTo(0, box.scrollHeight)"
    await card.locator(".permission-action").evaluate(scroll)
    await expect(card.locator(".permission-more")).to_be_hidden()
    await expect(allow).to_have_attribute("aria-disabled", "true")
    await card.get_by_role("button", name="Show all").click()
    await expect(card.locator("pre").first).to_have_text(command)
    await expect(card).not_to_contain_text("beginning of the action")
    await expect(requests.armed).to_have_count(1)
    await expect(allow).to_have_attribute("aria-disabled", "true")
    await card.locator(".permission-action").evaluate(scroll)
    await expect(allow).to_have_attribute("aria-disabled", "false")
    await allow.click()
    await expect(requests.cards).to_have_count(0)
    assert requests.answered() == ["p1"]
    # The call itself, in the transcript.
    call = chat.page.locator(".block.tool")
    await call.locator("summary, button").first.click()
    shown = call.locator("pre").first
    await call.get_by_role("button", name="Show all").click()
    await expect(shown).to_have_text(command)


async def test_a_long_command_can_be_rejected_unread(chat: Chat) -> None:
    requests = await Requests.opened(chat)
    await requests.ask({"command": "ls -l" + "\n" * 400 + "rm -rf ~"})
    await expect(requests.armed).to_have_count(1)
    await requests.cards.get_by_role("button", name="Reject").click()
    await expect(requests.cards).to_have_count(0)
    assert [answer["optionId"] for answer in requests.answers] == ["reject"]


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
    await expect(card.locator(".permission-tool")).to_have_text("Tool: run⟨U+200B⟩")
    await expect(card).to_contain_text("safe⟨U+202E⟩")
    await expect(card.locator(".permission-warning")).to_have_text(MARKED)


async def test_text_without_hidden_characters_has_no_warning(chat: Chat) -> None:
    requests = await Requests.opened(chat)
    await requests.ask({"command": "echo '⟨U+202E⟩ 👩\u200d💻'"}, title="List")
    await expect(requests.armed).to_have_count(1)
    await expect(requests.cards.locator(".permission-warning")).to_have_count(0)


async def test_what_hides_in_a_change_has_a_warning(chat: Chat) -> None:
    requests = await Requests.opened(chat)
    diff = {"path": "a.py", "oldText": "one\n", "newText": "t\u202ewo\n"}
    await requests.ask({"path": "a.py"}, diffs=[diff], toolKind="edit")
    await expect(requests.cards).to_contain_text("t⟨U+202E⟩wo")
    await expect(requests.cards.locator(".permission-warning")).to_have_text(MARKED)


# The words themselves are in tests/js/request-words.test.js.
async def test_a_card_asks_by_the_kind_of_the_action(chat: Chat) -> None:
    requests = await Requests.opened(chat)
    diffs = [{"path": f"{name}.py", "oldText": "1\n", "newText": "2\n"} for name in "abc"]
    # An agent calls its tool as it likes: the question is none of its words.
    await requests.ask({"path": "a.py"}, diffs=diffs, toolKind="edit", toolName="Read the README")
    card = requests.cards
    await expect(card.get_by_role("heading", level=3).first).to_have_text("Edit 3 files?")
    await expect(card.locator(".permission-tool")).to_have_text("Tool: Read the README")


async def test_an_action_that_is_not_known_says_so_and_is_never_allowed_always(chat: Chat) -> None:
    requests = await Requests.opened(chat)
    options = [ALLOW, REJECT]  # the server offers no other ones
    await requests.ask({}, title="Read the README", toolKind="read", options=options)
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
    assert [label.split("\n")[1] for label in labels] == ["Allow once", "Reject"]
    await expect(card.get_by_role("heading", level=3)).to_have_text("Read files?")
    await expect(card).to_contain_text("(rejects once)")
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


async def test_a_request_that_expired_can_be_asked_again(chat: Chat) -> None:
    requests = await Requests.opened(chat)
    await requests.ask({"command": "rm x"})
    ended = {"permId": "p1", "decision": "reject", "by": "server", "reason": "timeout"}
    told = {"code": "permission_expired", "error": "A permission request expired: rm x"}
    other = {"code": "mode_refused", "error": "The agent stays in its mode."}
    await requests.append([("permission_resolved", ended), ("error", told), ("error", other)])
    again = chat.page.get_by_role("button", name="Ask again")
    await expect(again).to_have_count(1)
    await chat.page.reload()
    await chat.live()
    await again.click()
    await expect(chat.prompts.last).to_contain_text("rm x")
    await expect(chat.prompts.last).to_contain_text("Please ask again")
