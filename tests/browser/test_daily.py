"""What a person meets every day: focus that stays, lists that keep still, an end to follow."""

from playwright.async_api import Route, expect

from tests.browser.chat import Chat, eventually

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
    await chat.send("/slow 300")
    await expect(chat.last_answer()).to_contain_text("word2")
    await chat.page.locator("#stop").focus()
    await chat.page.keyboard.press("Enter")
    await expect(chat.deliveries).to_have_text("Interrupted")
    await expect(chat.prompt).to_be_focused()
    await chat.send("/run true")
    await chat.page.get_by_role("button", name="Allow once").focus()
    await chat.page.keyboard.press("Enter")
    await expect(chat.page.locator(".permission")).to_have_count(0)
    await expect(chat.prompt).to_be_focused()


async def test_the_focus_stays_where_the_skipped_events_are_loaded(chat: Chat) -> None:
    await chat.open()
    await chat.ask("/slow 1")
    await chat.page.context.set_offline(True)
    await expect(chat.line).to_have_attribute("data-kind", "offline")
    chat.server.data.call("append", session=chat.session, count=400)
    await chat.page.context.set_offline(False)
    load = chat.page.get_by_role("button", name="Load the skipped events")
    await load.focus()
    await chat.page.keyboard.press("Enter")
    await expect(chat.page.locator(".skip")).to_contain_text("are loaded")
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
    await chat.page.get_by_role("button", name="Older chats").click()
    await expect(rows).to_have_count(55)
    async with chat.page.expect_response("**/api/sessions?*"):
        await chat.ask("/slow 1")
    await expect(rows).to_have_count(56)
    await chat.page.locator("#search").fill("slow")
    await expect(rows).to_have_count(1)


async def test_a_refused_chat_is_sent_again_with_another_folder(chat: Chat) -> None:
    await chat.open()
    await chat.page.locator("#folder").fill("/nowhere")
    await chat.send("/slow 1")
    await expect(chat.deliveries).to_have_text("Failed")
    await chat.page.locator("#folder").fill("")
    await chat.page.get_by_role("button", name="Send again").click()
    await expect(chat.deliveries).to_have_text("Answered")
