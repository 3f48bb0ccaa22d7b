"""Two devices on one chat, and the return after a long absence."""

import asyncio
import time
from uuid import uuid4

from playwright.async_api import Browser, Page, Route, expect

from tests.browser.chat import Chat, eventually, log_in
from tests.support.server import Server

ABSENCE = 6_000
# What the system did whose failure this product answers: replay everything, so many per round.
OLD_EVENTS_PER_ROUND = 50
OLD_ROUND_S = 5


async def second_device(chat: Chat, browser: Browser, *, width: int) -> Chat:
    """Open the shown chat in another browser of the same person."""
    context = await browser.new_context(viewport={"width": width, "height": 780})
    await log_in(context, chat.server, chat.name)
    device = Chat(await context.new_page(), chat.server, chat.name)
    await device.open(f"/s/{chat.session}")
    return device


async def test_either_device_may_decide_and_the_second_is_told(
    chat: Chat, browser: Browser
) -> None:
    await chat.open()
    await chat.send("/run true")
    await chat.in_session()
    phone = await second_device(chat, browser, width=380)
    held: list[Route] = []

    async def hold(route: Route) -> None:
        held.append(route)

    await phone.page.route("**/api/chat/permission", hold)
    await phone.page.get_by_role("button", name="Reject").click()

    async def is_held() -> bool:
        return bool(held)

    await eventually(is_held, what="the phone's decision")
    await chat.page.get_by_role("button", name="Allow once").click()
    for device in (chat, phone):
        await expect(device.page.locator(".permission")).to_have_count(0)
        await expect(device.deliveries).to_have_text("Answered")
    await held[0].continue_()
    await expect(phone.page.locator(".toast")).to_contain_text(
        f"decided first by {chat.name}: Allow once"
    )
    assert await phone.transcript() == await chat.transcript()
    resolved = [event for event in chat.log() if event["type"] == "permission_resolved"]
    assert len(resolved) == 1
    await phone.page.context.close()


# Records every text of the button while it is shown: a busy machine may look too late for one.
RECORD_STOPS = """() => {
  const stop = document.getElementById("stop");
  window.seenStops = [];
  const look = () => stop.hidden || window.seenStops.push(stop.textContent.trim());
  new MutationObserver(look).observe(stop, {
    ...{ attributes: true, childList: true, characterData: true, subtree: true },
  });
}"""


async def test_a_stop_on_one_device_shows_on_the_other(chat: Chat, browser: Browser) -> None:
    await chat.open()
    await chat.send("/hang")
    await chat.in_session()
    phone = await second_device(chat, browser, width=380)
    for device in (chat, phone):
        await expect(device.last_answer()).not_to_be_empty()  # it hangs behind its first words
        await expect(device.page.locator("#stop")).to_have_text("Stop")
        await device.page.evaluate(RECORD_STOPS)
    await chat.page.locator("#stop").click()
    for device in (chat, phone):
        await expect(device.page.locator("#stop")).to_be_hidden(timeout=30_000)
        await expect(device.page.locator(".notice").first).to_be_visible()
        assert "Force stop" in await device.page.evaluate("window.seenStops")
    await phone.page.context.close()


async def test_a_draft_a_read_mark_and_a_pin_follow_to_the_other_device(
    chat: Chat, browser: Browser
) -> None:
    await chat.open()
    await chat.ask("/slow 1")
    session = await chat.in_session()
    phone = await second_device(chat, browser, width=1000)
    await chat.prompt.fill("half a prompt")
    await expect(phone.prompt).to_have_value("half a prompt")
    await phone.prompt.fill("half a prompt and the rest")
    await expect(chat.prompt).to_have_value("half a prompt and the rest")
    # The phone looks at another chat: an answer here is unread there until it was seen here.
    await phone.page.locator("#new-chat").click()
    row = phone.page.locator(f'.row-link[href$="{session}"]')
    await chat.ask("/slow 1")
    await expect(phone.page.locator(".row-link.is-new")).to_have_count(0)
    await expect(chat.prompt).to_have_value("")
    await row.click()
    await expect(phone.prompt).to_have_value("")
    # Pinned on the desk, it stands under its own heading on the phone.
    await chat.page.locator("#open-menu").click()
    await chat.page.get_by_role("button", name="Pin", exact=True).click()
    await expect(phone.page.locator("#sessions .day").first).to_have_text("Pinned")
    await phone.page.context.close()


async def test_six_thousand_events_behind_after_a_kill_the_next_message_comes_at_once(
    page: Page, server: Server
) -> None:
    chat = await Chat.of(page, server, "alice")
    await chat.open()
    await chat.ask("/slow 2")
    session = await chat.in_session()
    server.kill()
    await asyncio.to_thread(server.data.call, "append", session=session, count=ABSENCE)
    server.start()
    await chat.live(within_s=35)
    await expect(page.locator(".skip")).to_contain_text("while you were away", timeout=5_000)
    with server.client("alice") as client:
        began = time.monotonic()
        body = {"clientMsgId": str(uuid4()), "sessionId": session, "text": "/slow 1"}
        assert client.post("/api/chat/send", json=body).status_code == 202
    await expect(chat.prompts.last).to_contain_text("/slow 1")
    took_s = time.monotonic() - began
    old_rule_s = ABSENCE / OLD_EVENTS_PER_ROUND * OLD_ROUND_S
    print(f"first new message after {took_s:.2f} s; by the old rule after {old_rule_s:.0f} s")
    assert took_s < 2

    async def is_counted() -> bool:  # rows are written a moment later than the stream
        rows = server.data.call("watches", session=session)
        assert max(row["replayed"] for row in rows) <= 200
        return bool(max(row["skipped"] for row in rows) >= ABSENCE)

    await eventually(is_counted, what="the skip in its row")
    await page.get_by_role("button", name="Show them").click()
    await expect(page.locator(".skip")).to_contain_text("updates are shown.", timeout=30_000)
