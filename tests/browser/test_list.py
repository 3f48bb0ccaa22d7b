"""The list of chats: its keys, its search, and where the focus is when a chat has left it."""

import re

import pytest
from playwright.async_api import Browser, expect

from tests.browser.chat import Chat, eventually

# How many times Tab is pressed before the conversation has the focus.
_MAX_STOPS = 12
# A machine that is busy would find a note gone that leaves the screen after eight seconds.
_NOTES_STAY = """(() => {
  const later = window.setTimeout;
  window.setTimeout = (run, ms, ...rest) => (ms === 8000 ? 0 : later(run, ms, ...rest));
})()"""
_FOCUS = """() => {
  const { activeElement: at } = document;
  if (at === document.body) return "body";
  return at.closest(".row")?.dataset.session ?? at.id ?? at.outerHTML;
}"""


async def focused(chat: Chat) -> str:
    """Return the session of the row that has the focus, else the id of the element."""
    return str(await chat.page.evaluate(_FOCUS))


async def press(chat: Chat, *keys: str) -> None:
    """Press keys one after another."""
    for key in keys:
        await chat.page.keyboard.press(key)


async def archive(chat: Chat) -> None:
    """Archive the chat that is shown, by its menu."""
    await chat.page.locator("#open-menu").click()
    await chat.page.get_by_role("button", name="Archive", exact=True).click()
    await chat.page.locator("#archive-form [type=submit]").click()
    await expect(chat.page.locator("#archive-dialog")).to_be_hidden()


async def test_tab_reaches_the_conversation_soon_and_the_arrows_walk_the_list(chat: Chat) -> None:
    made = [
        chat.server.data.call("create_session", name=chat.name, title=f"Chat {number}")
        for number in range(60)
    ]
    newest = made[::-1]
    await chat.open(f"/s/{newest[2]}")
    await expect(chat.page.locator("#sessions .row")).to_have_count(50)
    await chat.page.locator(".skip-link").focus()
    stops = [await focused(chat)]
    while stops[-1] != "scroll":
        await press(chat, "Tab")
        stops.append(await focused(chat))
        assert len(stops) <= _MAX_STOPS + 1, stops
    assert newest[2] in stops  # the chat that is shown
    assert sum(stop in made for stop in stops) == 1

    # The way has led past the end of the list, and so its other chats have come.
    await expect(chat.page.locator("#sessions .row")).to_have_count(60)
    await chat.page.locator("#search").focus()
    await press(chat, "Tab")
    assert await focused(chat) == newest[2]
    walked = {
        "ArrowDown": newest[3],
        "ArrowUp": newest[2],
        "Home": newest[0],
        "End": newest[59],
    }
    for key, place in walked.items():
        await press(chat, key)
        row = chat.page.locator(f'.row[data-session="{place}"] .row-link')
        await expect(row).to_be_focused()
    await press(chat, "Home", "ArrowRight")
    more = chat.page.locator(f'.row[data-session="{newest[0]}"] .row-more')
    await expect(more).to_be_focused()
    await press(chat, "Enter")
    await expect(chat.page.locator("#menu .menu-item").first).to_be_focused()
    await press(chat, "Escape")
    await expect(more).to_be_focused()
    await press(chat, "ArrowLeft", "ArrowDown", "Tab", "Shift+Tab")
    assert await focused(chat) == newest[1]  # Tab comes back to the row that had the focus
    await press(chat, "Home", "ArrowUp")
    await expect(chat.page.locator("#search")).to_be_focused()


async def test_the_arrows_walk_the_foot_of_the_list(chat: Chat) -> None:
    await chat.open()
    await chat.page.get_by_role("link", name=chat.name, exact=True).focus()
    foot = chat.page.get_by_role("toolbar", name="Account and settings")
    await press(chat, "ArrowRight")
    await expect(foot.get_by_role("button", name="Notifications")).to_be_focused()
    await press(chat, "End")
    await expect(foot.get_by_role("button", name="Log out")).to_be_focused()
    await press(chat, "Home")
    await expect(chat.page.get_by_role("link", name=chat.name, exact=True)).to_be_focused()


async def test_a_row_that_moves_keeps_the_focus(chat: Chat) -> None:
    older = chat.server.data.call("create_session", name=chat.name, title="The older one")
    chat.server.data.call("create_session", name=chat.name, title="The newer one")
    await chat.open()
    rows = chat.page.locator("#sessions .row")
    await expect(rows).to_have_count(2)
    link = chat.page.locator(f'.row[data-session="{older}"] .row-link')
    await link.focus()
    chat.server.data.call("append", session=older, count=1)
    await chat.page.evaluate("dispatchEvent(new Event('online'))")  # the page asks for its list
    await expect(rows.first).to_have_attribute("data-session", older)
    await expect(link).to_be_focused()


async def test_the_arrows_walk_all_hits_and_the_words_are_forgotten(chat: Chat) -> None:
    await chat.open()
    await chat.ask("/slow 1 the needle")
    session = await chat.in_session()
    await press(chat, "Alt+n", "Control+k")
    await chat.page.keyboard.type("needl")
    hit = chat.page.locator("a.found")
    await expect(hit).to_have_count(1)
    await expect(chat.page.locator("#sessions .row")).to_have_count(1)
    row = chat.page.locator("#sessions .row-link")
    await press(chat, "ArrowDown")
    await expect(row).to_be_focused()
    await press(chat, "ArrowDown")
    await expect(hit).to_be_focused()
    await press(chat, "ArrowDown")
    await expect(hit).to_be_focused()
    await press(chat, "Enter")
    await expect(chat.page.locator(".item.is-found")).to_contain_text("the needle")
    await expect(chat.page.locator("#search")).to_have_value("")
    await expect(hit).to_have_count(0)
    await expect(chat.prompt).to_be_focused()
    await expect(chat.page.locator(".item.is-found")).to_contain_text("the needle")

    # Enter opens the first hit of what stands there, though its answer has not come yet.
    chat.server.data.call("create_session", name=chat.name, title="Something newer")
    await press(chat, "Alt+n", "Control+k")
    await chat.page.keyboard.type("needl")
    await press(chat, "Enter")
    await expect(chat.page).to_have_url(re.compile(session))
    await expect(chat.page.locator("#search")).to_have_value("")
    await expect(chat.page.locator("#sessions .row")).to_have_count(2)


async def test_escape_leaves_the_search_for_the_list(chat: Chat) -> None:
    chat.server.data.call("create_session", name=chat.name, title="Another one")
    await chat.open()
    await chat.ask("/slow 1 the needle")
    session = await chat.in_session()
    search = chat.page.locator("#search")
    await search.fill("another")
    await expect(chat.page.locator("#sessions .row")).to_have_count(1)
    await search.press("Escape")
    await expect(search).to_have_value("")
    await expect(chat.page.locator("#sessions .row")).to_have_count(2)

    async def is_on_the_list() -> bool:
        return await focused(chat) == session  # the chat that is shown

    await eventually(is_on_the_list, what="the focus on the list")
    # From a hit as well, though it goes.
    await search.fill("needl")
    hit = chat.page.locator("a.found")
    await expect(hit).to_have_count(1)
    await hit.focus()
    await press(chat, "Escape")
    await expect(hit).to_have_count(0)
    await eventually(is_on_the_list, what="the focus on the list")


async def test_the_focus_stays_on_the_page_when_chats_leave_and_come_back(chat: Chat) -> None:
    await chat.page.add_init_script(_NOTES_STAY)
    await chat.open()
    await chat.ask("/slow 1")
    session = await chat.in_session()
    row = chat.page.locator(f'.row[data-session="{session}"]')
    await archive(chat)
    await expect(chat.page.locator("#new-chat-title")).to_be_visible()
    await expect(row).to_have_count(0)
    await expect(chat.prompt).to_be_focused()

    await chat.page.get_by_role("button", name="Undo").click()
    await expect(chat.page).to_have_url(re.compile(session))
    await expect(row).to_have_count(1)
    await expect(chat.prompt).to_be_focused()

    await archive(chat)
    await chat.page.locator("#show-archived").click()
    await chat.page.get_by_role("button", name="Restore").click()
    await expect(chat.page).to_have_url(re.compile(session))
    await expect(row).to_have_count(1)
    await expect(chat.prompt).to_be_focused()

    # Deleted chat by chat: the next one, then the button that closes the list.
    await archive(chat)
    await chat.ask("/slow 2")
    await archive(chat)
    await chat.page.locator("#show-archived").click()
    items = chat.page.locator("dialog[open] .archived li")
    await expect(items).to_have_count(2)
    for left in (1, 0):
        await items.first.get_by_role("button", name="Delete …").click()
        await chat.page.get_by_role("button", name="Delete permanently").click()
        await expect(items).to_have_count(left)
        next_one = items.first.get_by_role("button", name="Restore")
        close = chat.page.locator("dialog[open]").get_by_role("button", name="Close")
        await expect(next_one if left else close).to_be_focused()
    await press(chat, "Enter")
    await expect(chat.page.locator("dialog[open]")).to_have_count(0)
    await expect(chat.page.locator("#show-archived")).to_be_focused()


async def test_on_touch_the_focus_goes_to_the_heading(chat: Chat, browser: Browser) -> None:
    context = await browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    phone = await Chat.of(await context.new_page(), chat.server, chat.name)
    await phone.open()
    await phone.prompt.fill("/slow 1")
    await phone.page.locator("#send").click()
    await phone.answered(1)
    await archive(phone)
    await expect(phone.page.locator("#new-chat-title")).to_be_visible()
    await expect(phone.page.locator("#title")).to_be_focused()
    await context.close()


@pytest.mark.parametrize("way", ["Restore", "prompt"])
async def test_an_archived_chat_says_so_and_says_that_it_is_back(chat: Chat, way: str) -> None:
    await chat.page.add_init_script(_NOTES_STAY)
    await chat.open()
    await chat.ask("/slow 1")
    session = await chat.in_session()
    await archive(chat)
    await chat.page.goto(f"{chat.server.url}/s/{session}")
    await chat.live()
    bar = chat.page.locator(".archived-bar")
    await expect(bar).to_be_visible()
    days = chat.page.locator("#sessions .day")
    await expect(days).to_have_text(["Open chat"])
    if way == "prompt":
        await chat.send("/slow 2")
        await chat.answered(2)
    else:
        await bar.get_by_role("button", name="Restore").click()
        await expect(chat.prompt).to_be_focused()
    told = chat.page.locator(".toast", has_text="The chat is back on the list.")
    await expect(told).to_have_count(1)
    await expect(bar).to_be_hidden()
    await expect(days).to_have_text(["Today"])
    await chat.page.reload()
    await chat.live()
    await expect(days).to_have_text(["Today"])
    await expect(bar).to_have_count(0)


async def test_a_chat_that_is_archived_elsewhere_says_so(chat: Chat) -> None:
    await chat.open()
    await chat.ask("/slow 1")
    session = await chat.in_session()
    other = Chat(await chat.page.context.new_page(), chat.server, chat.name)
    await other.open(f"/s/{session}")
    await archive(other)
    await chat.page.bring_to_front()
    await chat.page.evaluate("dispatchEvent(new Event('online'))")  # the page asks for its list
    await expect(chat.page.locator(".archived-bar")).to_be_visible()
    # Another chat has no such bar.
    await press(chat, "Alt+n")
    await expect(chat.page.locator(".archived-bar")).to_be_hidden()


@pytest.mark.parametrize("width", [390, 1200])
async def test_a_chat_is_named_from_its_first_prompt_or_says_that_nothing_was_said(
    chat: Chat, width: int
) -> None:
    drafts = [
        ("user_message", {"messageId": "m1", "clientMsgId": "c1", "text": "*mend* the roof. Now!"})
    ]
    session = chat.server.data.call("create_session", name=chat.name, title="A")
    await chat.page.set_viewport_size({"width": width, "height": 844})
    await chat.open(f"/s/{session}")
    for sentence in ("Nothing was said in this chat yet", "The chat is named “Mend the roof”"):
        await chat.page.locator("#open-menu").click()
        await chat.page.get_by_role("button", name="Name it for me").click()
        await expect(chat.page.locator("#toasts")).to_contain_text(sentence)
        if "Nothing" in sentence:
            await expect(chat.page.locator("#title")).to_have_text("A")
            chat.server.data.call("append_drafts", session=session, drafts=drafts)
            await expect(chat.prompts).to_have_count(1)
    await expect(chat.page.locator("#title")).to_have_text("Mend the roof")
    await expect(chat.page.locator(".row-title")).to_have_text("Mend the roof")
    titles = [event["title"] for event in chat.log() if event["type"] == "title_changed"]
    assert titles == ["Mend the roof"]
