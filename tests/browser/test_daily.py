"""What a person meets every day: focus that stays, lists that keep still, an end to follow."""

import re

import pytest
from playwright.async_api import Page, Route, expect

from tests.browser.chat import Chat, eventually
from tests.support.server import Server

_AT_END = "(e) => e.scrollHeight - e.scrollTop - e.clientHeight < 2"
_TWO_FRAMES = "() => new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))"


async def test_a_banner_does_not_take_the_end_away(chat: Chat) -> None:
    await chat.open()
    await chat.page.set_viewport_size({"width": 900, "height": 500})
    await chat.ask("Hello")
    scroll = chat.page.locator("#scroll")
    await scroll.evaluate("(e) => { e.scrollTop -= 40; }")
    await scroll.evaluate(_TWO_FRAMES)  # the page hears of it
    await scroll.evaluate("""(e) => {
      e.scrollTop += 40;
      document.getElementById("banner-text").textContent = "Something to tell. ".repeat(30);
      document.getElementById("banner").hidden = false;
    }""")
    await expect(chat.page.locator("#banner")).to_be_visible()

    async def is_at_end() -> bool:
        return bool(await scroll.evaluate(_AT_END))

    await eventually(is_at_end, what="the end")
    await expect(chat.page.locator("#jump")).to_be_hidden()


async def test_the_focus_goes_to_the_prompt_when_its_button_is_gone(chat: Chat) -> None:
    await chat.open()
    await chat.send("/slow 4000")
    await expect(chat.last_answer()).to_contain_text("word2")
    await chat.page.locator("#stop").focus()
    await chat.page.keyboard.press("Enter")
    await expect(chat.deliveries).to_have_text("Interrupted")
    await expect(chat.prompt).to_be_focused()
    await chat.send("/run true")
    card = chat.page.locator(".permission")
    await card.get_by_role("button", name="Allow once").focus()
    await expect(card).to_have_attribute("data-armed", "true")
    await chat.page.keyboard.press("Enter")
    await expect(card).to_have_count(0)
    await expect(chat.prompt).to_be_focused()


async def test_the_focus_stays_where_the_skipped_events_are_loaded(chat: Chat) -> None:
    await chat.open()
    await chat.ask("/slow 1")
    await chat.page.context.set_offline(True)
    await expect(chat.line).to_have_attribute("data-kind", "offline")
    chat.server.data.call("append", session=chat.session, count=400)
    await chat.page.context.set_offline(False)
    load = chat.page.get_by_role("button", name="Show them")
    await load.focus()
    await chat.page.keyboard.press("Enter")
    await expect(chat.page.locator(".skip")).to_contain_text("updates are shown.")
    await expect(chat.page.locator(".skip")).to_be_focused()


async def test_an_older_list_does_not_take_a_decision_back(chat: Chat) -> None:
    await chat.open()
    held: list[Route] = []

    async def hold(route: Route) -> None:
        answer = await route.fetch()
        await expect(chat.page.locator(".permission")).to_be_visible()
        held.append(route)
        await route.fulfill(response=answer)

    await chat.ask("/slow 1")
    await chat.page.route("**/api/sessions?*", hold, times=1)
    await chat.send("/run true")  # its receipt has the list asked for

    async def is_answered() -> bool:
        return bool(held)

    await eventually(is_answered, what="the list of before")
    await expect(chat.page.locator(".row-about")).to_contain_text("Waits for your decision")


async def test_older_chats_stay_when_the_list_is_asked_for_again(chat: Chat) -> None:
    for _ in range(55):
        chat.server.data.call("create_session", name=chat.name)
    await chat.open()
    rows = chat.page.locator(".row")
    await expect(rows).to_have_count(50)
    await chat.page.locator(".side-list").evaluate("(list) => list.scrollTo(0, list.scrollHeight)")
    await expect(rows).to_have_count(55)
    await expect(chat.page.get_by_role("button", name="Older chats")).to_be_hidden()
    async with chat.page.expect_response("**/api/sessions?*"):
        await chat.ask("/slow 1")
    await expect(rows).to_have_count(56)
    await chat.page.locator("#search").fill("slow")
    await expect(rows).to_have_count(1)


async def test_chats_stand_under_their_days_and_the_open_one_is_always_shown(chat: Chat) -> None:
    old = chat.server.data.call("create_session", name=chat.name, title="The old one")
    chat.server.data.call("age_sessions", name=chat.name, days=400)
    for days in (0, 1, 3, 20):
        chat.server.data.call("create_session", name=chat.name, title=f"From {days} days ago")
        chat.server.data.call(
            "age_sessions", name=chat.name, days=days, only=f"From {days} days ago"
        )
    for _ in range(50):
        chat.server.data.call("create_session", name=chat.name)
    await chat.open(f"/s/{old}")
    days = chat.page.locator("#sessions .day")
    await expect(days.first).to_have_text("Open chat")
    current = chat.page.locator("#sessions [aria-current]")
    await expect(current.locator(".row-title")).to_have_text("The old one")
    await expect(chat.page.locator("#sessions .row").first.locator("[aria-current]")).to_have_count(
        1
    )
    await chat.page.locator(".side-list").evaluate("(list) => list.scrollTo(0, list.scrollHeight)")
    await expect(days).to_have_text(
        ["Today", "Yesterday", "Last 7 days", "Last 30 days", re.compile(r"^[A-Z][a-z]+ 20\d\d$")]
    )
    await expect(current).to_have_count(1)  # in its own place now
    await expect(chat.page.locator("#sessions .row")).to_have_count(55)


async def test_a_refused_chat_is_sent_again_with_another_folder(page: Page, server: Server) -> None:
    chat = await Chat.of(page, server, "owner")  # alone on the server: who may choose folders
    await chat.open()
    await chat.page.locator("#folder").fill("/nowhere")
    await chat.send("/slow 1")
    await expect(chat.deliveries).to_have_text("Failed")
    await chat.page.locator("#folder").fill("")
    await chat.page.locator(".is-needed").get_by_role("button", name="Send again").click()
    await expect(chat.deliveries).to_have_text("Answered")


async def test_code_and_answers_are_copied_as_they_were_written(chat: Chat) -> None:
    await chat.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await chat.open()
    await chat.ask("Hello")
    clipboard = "navigator.clipboard.readText()"
    code = chat.page.locator(".code-frame")
    await expect(code.locator(".code-head")).to_have_attribute("data-language", "python")
    assert not (await code.inner_text()).startswith("python")  # nobody wrote that
    await code.get_by_role("button", name="Copy this code").click()
    await expect(code.locator(".copy")).to_have_text("Copied")
    assert (await chat.page.evaluate(clipboard)).startswith("def catch_up(")
    await chat.page.get_by_role("button", name="Copy this answer").click()
    await expect(chat.page.locator(".answer-foot .copy").first).to_have_text("Copied")
    assert "```python\ndef catch_up(" in await chat.page.evaluate(clipboard)


async def test_code_is_copied_without_a_clipboard_too(chat: Chat) -> None:
    await chat.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await chat.open()
    await chat.ask("Hello")
    await chat.page.evaluate("() => { navigator.clipboard.writeText = undefined; }")
    button = chat.page.get_by_role("button", name="Copy this code")
    await button.click()
    await expect(button).to_have_text("Copied")
    await expect(button).to_be_focused()
    copied = await chat.page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("def catch_up(")


async def test_a_long_prompt_shows_its_beginning_until_it_is_opened(chat: Chat) -> None:
    await chat.open()
    await chat.ask("/slow 1 " + "A long line of words. \n" * 400)
    text = chat.page.locator(".prompt-text")
    folded = await text.evaluate("(e) => e.clientHeight")
    assert folded < 300
    await chat.page.get_by_role("button", name="Show all").click()
    await expect(text).not_to_have_class("folded")
    assert await text.evaluate("(e) => e.clientHeight") > 5_000
    await expect(text).to_be_in_viewport()  # its beginning, not the end of the answer
    await expect(chat.answers.last).not_to_be_in_viewport()
    await chat.page.get_by_role("button", name="Show less").click()
    assert await text.evaluate("(e) => e.clientHeight") == folded


async def test_a_script_from_right_to_left_stands_on_the_right(chat: Chat) -> None:
    await chat.open()
    text = "مرحبا\nsecond line that is much longer than the first one"
    await chat.prompt.fill(text)
    await expect(chat.prompt).to_have_css("direction", "rtl")
    await chat.ask(text)
    left_of_the_first_word = """(e) => {
      const range = document.createRange();
      range.setStart(e.firstChild, 0);
      range.setEnd(e.firstChild, 5);
      return range.getBoundingClientRect().left - e.getBoundingClientRect().left;
    }"""
    assert await chat.page.locator(".prompt-text").evaluate(left_of_the_first_word) > 100
    assert (
        await chat.page.locator(".prose > :not(.code-frame, .prose-tail, [dir=auto])").count() == 0
    )


async def test_what_is_being_written_stays_when_a_new_chat_gets_its_session(chat: Chat) -> None:
    await chat.open()
    held: list[Route] = []

    async def hold(route: Route) -> None:
        held.append(route)

    async def is_held() -> bool:
        return bool(held)

    await chat.page.route("**/api/chat/send", hold, times=1)
    await chat.send("/slow 1")
    await eventually(is_held, what="the first prompt")
    await chat.prompt.fill("the next thou")
    await held[0].continue_()
    await chat.in_session()
    await expect(chat.deliveries).to_have_text("Answered")
    await expect(chat.prompt).to_have_value("the next thou")
    await chat.page.reload()
    await expect(chat.prompt).to_have_value("the next thou")
    await chat.page.keyboard.press("Alt+n")
    await expect(chat.page.locator("#new-chat-title")).to_be_visible()
    await expect(chat.prompt).to_have_value("")


# A browser without a screen notifies nobody: what the page asks for is written down.
_NOTES = """() => {
  window.isAway = false;
  Document.prototype.hasFocus = () => !window.isAway;
  window.notes = [];
  window.Notification = class {
    static permission = "default";
    static requestPermission = async () => (Notification.permission = "granted");
    constructor(title, options) { notes.push({ title, ...options, note: this }); }
    close() {}
  };
}"""


async def test_who_looks_elsewhere_is_told_that_a_decision_is_asked_for(chat: Chat) -> None:
    await chat.page.add_init_script(f"({_NOTES})()")
    await chat.open()
    bell = chat.page.get_by_role("button", name="Notifications")
    await bell.click()
    await expect(bell).to_have_attribute("aria-pressed", "true")
    await chat.ask("/slow 1")
    told = "notes.map(({ title, body }) => [title, body])"
    assert await chat.page.evaluate(told) == []  # who looks at the page sees it there
    await chat.page.evaluate("""() => {
      window.isAway = true;
      dispatchEvent(new Event("blur"));
    }""")
    await chat.send("/run true")
    await expect(chat.page.locator(".permission")).to_be_visible()
    expected = [["/slow 1", "Needs your decision: runs a command: true"]]

    async def is_told() -> bool:
        return bool(await chat.page.evaluate(told) == expected)

    await eventually(is_told, what="the notification")
    await chat.page.keyboard.press("Alt+n")
    await expect(chat.page).to_have_title("! New chat · Backstay")
    await chat.page.evaluate("notes[0].note.onclick()")
    await expect(chat.page.locator(".permission")).to_be_visible()


async def test_a_chat_that_ended_out_of_sight_is_marked_until_it_is_read(chat: Chat) -> None:
    await chat.open()
    await chat.send("/slow 15")
    first = await chat.in_session()
    await chat.page.keyboard.press("Alt+n")
    row = chat.page.locator(".row", has=chat.page.locator(f'a[href="/s/{first}"]'))
    await expect(row.locator(".row-about")).to_contain_text("New answer", timeout=20_000)
    await row.locator("a").click()
    await expect(chat.deliveries).to_have_text("Answered")
    await expect(row.locator(".row-about")).not_to_contain_text("New answer")


# Records the composer's height beside each text of the button while it is shown.
_RECORD_HEIGHTS = """() => {
  const stop = document.getElementById("stop");
  const composer = document.getElementById("composer");
  window.seenHeights = [];
  const look = () =>
    stop.hidden || window.seenHeights.push([stop.textContent.trim(), composer.offsetHeight]);
  new MutationObserver(look).observe(stop, {
    ...{ attributes: true, childList: true, characterData: true, subtree: true },
  });
}"""


@pytest.mark.parametrize("width", [320, 360, 380])
async def test_a_narrow_composer_does_not_grow_while_the_answer_is_stopped(
    chat: Chat, width: int
) -> None:
    await chat.page.set_viewport_size({"width": width, "height": 780})
    await chat.open()
    await chat.send("/hang")
    await expect(chat.last_answer()).to_contain_text("nothing any more")
    before = await chat.page.evaluate("document.getElementById('composer').offsetHeight")
    await chat.page.evaluate(_RECORD_HEIGHTS)
    await chat.page.locator("#stop").click()
    await expect(chat.page.locator("#stop")).to_be_hidden(timeout=30_000)
    assert ["Force stop", before] in await chat.page.evaluate("window.seenHeights")
    assert {height for _text, height in await chat.page.evaluate("window.seenHeights")} == {before}


async def test_a_found_message_of_a_long_chat_is_gone_to_and_archived_chats_come_back(
    chat: Chat,
) -> None:
    await chat.open()
    await chat.ask("/slow 1 the needle")
    session = await chat.in_session()
    chat.server.data.call("append", session=session, count=1)
    for number in range(3):
        await chat.ask(f"/slow 1 number {number}")
    await chat.page.locator("#new-chat").click()
    await chat.page.locator("#search").fill("needl")
    hit = chat.page.locator("a.found")
    await expect(hit).to_have_count(1)
    await expect(hit.locator("mark")).to_have_text("needle")
    await hit.click()
    await expect(chat.page.locator(".item.is-found")).to_contain_text("the needle")
    assert "#m" in chat.page.url
    # The address leads there, too.
    await chat.page.reload()
    await expect(chat.page.locator(".item.is-found")).to_contain_text("the needle")
    await chat.page.locator("#search").fill("")
    # Archived, the chat is in a list of its own, with the way back.
    await chat.page.locator("#open-menu").click()
    await chat.page.get_by_role("button", name="Archive", exact=True).click()
    await chat.page.locator("#archive-form [type=submit]").click()
    row = chat.page.locator(f'.row-link[href$="{session}"]')
    await expect(row).to_have_count(0)
    await chat.page.locator("#show-archived").click()
    await chat.page.get_by_role("button", name="Restore").click()
    await expect(row).to_have_count(1)
    await chat.page.locator("#open-menu").click()
    await chat.page.get_by_role("button", name="Archive", exact=True).click()
    await chat.page.locator("#archive-form [type=submit]").click()
    await chat.page.locator("#show-archived").click()
    deleted: list[str] = []
    chat.page.on("request", lambda made: "permanently" in made.url and deleted.append(made.url))
    # The second press of a double click comes too early, however late it is.
    await chat.page.get_by_role("button", name="Delete …").dblclick()
    last = chat.page.get_by_role("button", name="Delete permanently")
    await expect(last).to_have_attribute("aria-disabled", "false")
    await last.click()
    await expect(chat.page.locator("dialog[open] .archived li")).to_have_count(0)
    assert len(deleted) == 1


async def test_a_held_key_deletes_no_archived_chat(chat: Chat) -> None:
    deleted: list[str] = []
    chat.page.on("request", lambda made: "permanently" in made.url and deleted.append(made.url))
    await chat.open()
    await chat.ask("/slow 1")
    await chat.page.locator("#open-menu").click()
    await chat.page.get_by_role("button", name="Archive", exact=True).click()
    await chat.page.locator("#archive-form [type=submit]").click()
    await chat.page.locator("#show-archived").click()
    await chat.page.get_by_role("button", name="Delete …").focus()
    await chat.page.keyboard.down("Enter")
    last = chat.page.get_by_role("button", name="Delete permanently")
    await expect(last).to_have_attribute("aria-disabled", "false")
    for _ in range(5):
        await chat.page.keyboard.down("Enter")
    await chat.page.keyboard.up("Enter")
    await expect(last).to_have_attribute("aria-disabled", "false")
    assert deleted == []
    await last.click()
    await expect(chat.page.locator("dialog[open] .archived li")).to_have_count(0)
    assert len(deleted) == 1
