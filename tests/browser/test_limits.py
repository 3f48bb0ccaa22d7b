"""The page at its limits: more chats than a connection may watch, a full storage, a wrong clock."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import count

from playwright.async_api import Dialog, Page, Route, expect

from tests.browser.answers import Answer
from tests.browser.chat import Chat
from tests.support.server import Server


async def test_the_open_chat_is_followed_however_many_are_at_work(page: Page, make_server) -> None:
    server: Server = make_server(environment={"CHAT_MAX_WATCHES": "4"})
    chat = await Chat.of(page, server, "busy")
    answers = [await Answer.begun(chat, prompt=f"Task {n}", opened=False) for n in range(7)]
    await chat.open(f"/s/{answers[0].session}")
    for answer in answers[1:]:
        await page.locator(f'.row-link[href="/s/{answer.session}"]').click()
        await expect(page.locator("#gone")).to_be_hidden()
        await answer.write("it is followed")
        await expect(chat.last_answer()).to_have_text("it is followed")
    await page.locator(f'.row-link[href="/s/{answers[0].session}"]').click()
    await answers[0].write("and again")
    await expect(chat.last_answer()).to_have_text("and again")
    await expect(page.locator("#gone")).to_be_hidden()


async def fill_the_storage(page: Page) -> None:
    await page.evaluate(
        """() => {
          let text = "x".repeat(1024 * 1024);
          for (let n = 0; text; n += 1) {
            try { sessionStorage.setItem(`fill${n}`, text); }
            catch { text = text.slice(0, Math.floor(text.length / 2)); }
          }
        }"""
    )


async def test_a_discarded_prompt_is_not_sent_after_a_reload(chat: Chat) -> None:
    await chat.open()
    await chat.ask("/slow 1")
    session = chat.session
    await chat.page.route("**/api/chat/send", lambda route: route.abort())
    await chat.send("not this one")
    discard = chat.page.get_by_role("button", name="Discard").first
    await expect(discard).to_be_visible()
    await fill_the_storage(chat.page)
    await chat.send("another " * 50)
    await expect(chat.prompts).to_have_count(3)
    await discard.click()
    await expect(chat.prompts).to_have_count(2)
    await chat.page.evaluate(
        "Object.keys(sessionStorage).filter((key) => key.startsWith('fill'))"
        ".forEach((key) => sessionStorage.removeItem(key))"
    )
    await chat.page.unroute("**/api/chat/send")
    await chat.page.goto(f"{chat.url}/s/{session}")
    await chat.live()
    await chat.ask("/slow 2")
    prompts = [event["text"] for event in chat.log() if event["type"] == "user_message"]
    assert "not this one" not in prompts


async def test_a_prompt_can_be_discarded_while_it_is_sent_again(chat: Chat) -> None:
    await chat.open()
    await chat.ask("/slow 1")
    tries = count(1)
    may_fail = asyncio.Event()

    async def fail(route: Route) -> None:
        if next(tries) > 1:
            await may_fail.wait()
        await route.abort()

    await chat.page.route("**/api/chat/send", fail)
    await chat.send("not this one")
    prompt = chat.prompts.filter(has_text="not this one")
    discard = prompt.get_by_role("button", name="Discard")
    await expect(discard).to_be_visible()
    await expect(prompt.locator(".delivery-label")).to_have_text("Sending")
    await discard.click()
    why = prompt.locator(".delivery-why")
    await expect(why).to_have_text("It is discarded, unless it has arrived.")
    await expect(discard).to_be_hidden()
    may_fail.set()
    await expect(prompt).to_have_count(0)


async def test_closing_a_tab_with_prompts_that_wait_asks_first(chat: Chat) -> None:
    dialogs: list[str] = []

    async def refuse(dialog: Dialog) -> None:
        dialogs.append(dialog.type)
        await dialog.dismiss()

    await chat.open()
    await chat.ask("/slow 1")
    chat.page.on("dialog", refuse)
    await chat.page.context.set_offline(True)
    await chat.send("this one waits")
    await expect(chat.deliveries.last).to_have_text("Waiting to send")
    await chat.page.close(run_before_unload=True)
    for _ in range(100):
        if dialogs:
            break
        await asyncio.sleep(0.05)
    assert dialogs == ["beforeunload"]
    await chat.page.context.set_offline(False)
    await chat.answered(2)
    async with chat.page.expect_event("close"):
        await chat.page.close(run_before_unload=True)
    assert dialogs == ["beforeunload"]


async def test_times_do_not_follow_a_wrong_clock(chat: Chat) -> None:
    await chat.page.clock.install(time=datetime.now(UTC) + timedelta(hours=5))
    await chat.open()
    await chat.ask("/slow 1")
    await expect(chat.page.locator(".row-about").first).to_contain_text("now ·")
    await expect(chat.page.locator(".row-about").first).not_to_contain_text("5 h")
