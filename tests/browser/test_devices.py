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


async def test_either_device_may_decide_and_the_second_is_told(
    chat: Chat, browser: Browser
) -> None:
    await chat.open()
    await chat.send("/run true")
    session = await chat.in_session()
    phone_context = await browser.new_context(viewport={"width": 380, "height": 780})
    await log_in(phone_context, chat.server, chat.name)
    phone = Chat(await phone_context.new_page(), chat.server, chat.name)
    await phone.open(f"/s/{session}")
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
    await phone_context.close()


async def test_a_stop_on_one_device_shows_on_the_other(chat: Chat, browser: Browser) -> None:
    await chat.open()
    await chat.send("/hang")
    session = await chat.in_session()
    phone_context = await browser.new_context(viewport={"width": 380, "height": 780})
    await log_in(phone_context, chat.server, chat.name)
    phone = Chat(await phone_context.new_page(), chat.server, chat.name)
    await phone.open(f"/s/{session}")
    for device in (chat, phone):
        await expect(device.page.locator("#stop")).to_have_text("Stop")
    await chat.page.locator("#stop").click()
    for device in (chat, phone):
        await expect(device.page.locator("#stop")).to_have_text("Stopping. Force it")
    for device in (chat, phone):
        await expect(device.page.locator("#stop")).to_be_hidden(timeout=30_000)
        await expect(device.page.locator(".notice").first).to_be_visible()
    await phone_context.close()


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
    await expect(page.locator(".skip")).to_contain_text("were skipped", timeout=5_000)
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
    await page.get_by_role("button", name="Load the skipped events").click()
    await expect(page.locator(".skip")).to_contain_text("skipped events are loaded", timeout=30_000)
