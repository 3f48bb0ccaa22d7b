"""A tab that is closed with prompts that wait: it asks first, and the next tab sends them, once."""

import asyncio
import hashlib

from playwright.async_api import Dialog, Request

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
