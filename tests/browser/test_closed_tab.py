"""A tab that is closed with what the server has not got: the next tab has it, or this one asks."""

import asyncio
import hashlib

from playwright.async_api import Dialog, Request, expect

from tests.browser.chat import Chat, eventually
from tests.browser.test_attaching import bytes_of, payload, pick, png, prompts

_NOTE_TOASTS = """addEventListener("DOMContentLoaded", () => {
  window.toasts = [];
  new MutationObserver((changes) => {
    for (const { addedNodes } of changes)
      for (const node of addedNodes) window.toasts.push(node.textContent);
  }).observe(document.getElementById("toasts"), { childList: true });
})"""


async def test_the_next_tab_sends_what_a_closed_one_left_with_its_file(chat: Chat) -> None:
    await chat.open()
    await chat.ask("/slow 1")
    session = await chat.in_session()
    context = chat.page.context
    sends: list[str] = []

    def note(request: Request) -> None:
        if request.url.endswith("/api/chat/send"):
            sends.append(request.post_data or "")

    await chat.page.route("**/api/blobs/**", lambda route: route.abort())
    await pick(chat, payload("plan.png", "image/png", png(30, 20)))
    await chat.send("/slow 2")
    await chat.send("/slow 3")

    async def has_copy() -> bool:
        copy = "Object.entries(localStorage).find(([name]) => name.startsWith('backstay.left.'))"
        return "/slow 3" in str(await chat.page.evaluate(copy))

    await eventually(has_copy, what="the copy of the outbox")
    asked: asyncio.Future[Dialog] = asyncio.get_running_loop().create_future()

    def take(dialog: Dialog) -> None:
        asked.set_result(dialog)

    chat.page.on("dialog", take)
    await chat.page.close(run_before_unload=True)
    dialog = await asked
    assert dialog.type == "beforeunload"
    context.on("request", note)
    async with asyncio.timeout(30):
        closed = asyncio.ensure_future(chat.page.wait_for_event("close"))
        await dialog.accept()
        await closed

    await context.add_init_script(_NOTE_TOASTS)
    tabs = [Chat(await context.new_page(), chat.server, chat.name) for _ in range(2)]
    await asyncio.gather(*(tab.open(f"/s/{session}") for tab in tabs))
    for tab in tabs:
        await tab.answered(3)
    assert len(sends) == 2, sends
    _, first, second = prompts(tabs[0])
    assert (first["text"], second["text"]) == ("/slow 2", "/slow 3")
    assert [file["name"] for file in first["attachments"]] == ["plan.png"]
    blob = first["attachments"][0]["blob"]
    assert hashlib.sha256(await bytes_of(tabs[0], blob)).hexdigest() == blob
    toasts = [text for tab in tabs for text in await tab.page.evaluate("toasts")]
    assert [text.startswith("2 prompts of a closed tab") for text in toasts] == [True]


async def test_a_draft_that_the_server_did_not_get_outlives_its_tab(chat: Chat) -> None:
    await chat.open()
    await chat.ask("/slow 1")
    session = await chat.in_session()
    context = chat.page.context
    await context.set_offline(True)
    await expect(chat.line).to_have_attribute("data-kind", "offline")
    await chat.prompt.fill("half of a thought")
    async with asyncio.timeout(30):
        closed = asyncio.ensure_future(chat.page.wait_for_event("close"))
        await chat.page.close(run_before_unload=True)
        await closed
    await context.set_offline(False)
    tab = Chat(await context.new_page(), chat.server, chat.name)
    await tab.open(f"/s/{session}")
    await expect(tab.prompt).to_have_value("half of a thought")

    async def is_written() -> bool:
        names = await tab.page.evaluate("Object.keys(localStorage)")
        return not [name for name in names if name.startswith("backstay.draft.left.")]

    await eventually(is_written, what="the draft on the server")


_ASKS = """() => !dispatchEvent(new Event("beforeunload", { cancelable: true }))"""


async def test_a_tab_with_the_text_of_a_new_chat_asks_while_the_line_is_down(chat: Chat) -> None:
    await chat.open()
    await chat.prompt.fill("the first words")
    assert not await chat.page.evaluate(_ASKS)
    await chat.page.context.set_offline(True)

    async def asks() -> bool:
        return bool(await chat.page.evaluate(_ASKS))

    async def asks_no_more() -> bool:
        return not await asks()

    await eventually(asks, what="the question")
    await chat.page.context.set_offline(False)
    await chat.live()
    await eventually(asks_no_more, what="the end of the question")
