"""Delivery that can be seen: skips, older pages, receipts, refusals, log-ins that end."""

import json
import re
from collections.abc import Iterator
from uuid import uuid4

import pytest
from playwright.async_api import Page, Response, Route, expect

from tests.browser.answers import Answer
from tests.browser.chat import Chat, eventually, log_in, words
from tests.support.server import Server
from tests.support.sse import stream

SMALL = {
    "CHAT_MAX_REPLAY_GAP": "20",
    "CHAT_SNAPSHOT_MESSAGES": "4",
    "CHAT_HISTORY_PAGE": "4",
    "CHAT_SENDS_PER_MINUTE": "1000",
}


@pytest.fixture(scope="module")
def small_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with limits that a short chat reaches."""
    running = Server(tmp_path_factory.mktemp("small"), environment=SMALL)
    try:
        yield running.start()
    finally:
        running.close()


async def _turns(chat: Chat, prompts: list[str]) -> None:
    """Have the agent answer prompts that another client sends, one after the other."""
    with chat.server.client(chat.name) as client:
        for text in prompts:
            body = {"clientMsgId": str(uuid4()), "sessionId": chat.session, "text": text}
            answer = client.post("/api/chat/send", json=body)
            assert answer.status_code == 202, answer.text

            seq = answer.json()["seq"]

            async def is_answered(after: int = seq) -> bool:
                # Not only the last event: a change of state may follow the end of a turn.
                return any(e["type"] == "turn_end" and e["seq"] > after for e in chat.log())

            await eventually(is_answered, within_s=30, what="the answer")


async def test_a_skip_is_announced_and_the_skipped_events_can_be_loaded(
    page: Page, small_server: Server
) -> None:
    chat = await Chat.of(page, small_server, "skipper")
    await chat.open()
    await chat.ask("/slow 1")
    session = await chat.in_session()
    # Another device watches all the time: the session's state does not change with the page.
    other = stream(chat.url, small_server.token(chat.name), watch=[session])
    with other as watching:
        watching.wait_for_type("session_snapshot")
        seen = len(chat.log())
        await page.context.set_offline(True)
        await expect(chat.line).not_to_have_attribute("data-kind", "live")
        await _turns(chat, [f"/slow {n}" for n in range(2, 8)])
        head = len(chat.log())
        await page.context.set_offline(False)
        skip = page.locator(".skip")
        await expect(skip).to_contain_text("updates came while you were away.", timeout=15_000)
    missed = int((await skip.inner_text()).split()[0])
    assert missed == head - seen
    shown = await chat.transcript()
    assert ("prompt", "/slow 1") in shown  # what was held stays
    assert ("prompt", "/slow 2") not in shown  # older than the snapshot's tail: in the hole
    assert shown[-1] == ("answer", words(7))
    await skip.get_by_role("button", name="Show them").click()
    await expect(skip).to_contain_text(f"{missed} updates are shown.")
    whole = [item for item in await chat.transcript() if item[0] != "skip"]
    expected = [(("prompt", f"/slow {n}"), ("answer", words(n))) for n in range(1, 8)]
    assert whole == [item for pair in expected for item in pair]
    # The stream goes on behind the skip.
    await chat.ask("/slow 1")


async def test_an_answer_that_streamed_meanwhile_is_formatted_after_a_skip(
    page: Page, small_server: Server
) -> None:
    chat = await Chat.of(page, small_server, "returner")
    answer = await Answer.begun(chat)
    shown = chat.last_answer()
    await answer.write("# First\n\nA sentence.\n\n")
    await expect(shown).to_contain_text("A sentence.")
    await page.context.set_offline(True)
    await expect(chat.line).not_to_have_attribute("data-kind", "live")
    for number in range(25):
        await answer.write(f"## Part {number}\n\nSome **strong** words.\n\n")
    await page.context.set_offline(False)
    await expect(page.locator(".skip")).to_have_count(1)

    async def is_formatted() -> bool:
        await answer.write("More.\n\n")  # the markup comes in front of a later event
        return await shown.locator("h4").count() == 25

    await eventually(is_formatted, what="the settled parts")
    await expect(shown).to_have_class(re.compile("streaming"))
    await expect(shown.locator("h3")).to_have_text("First")
    await expect(shown.locator("strong")).to_have_count(25)
    await expect(shown).not_to_contain_text("*")
    await answer.end(is_rendered=True)
    await chat.answered(1)
    await expect(shown.locator("h4")).to_have_text([f"Part {number}" for number in range(25)])


async def test_older_messages_come_when_one_scrolls_up_and_nothing_jumps(
    page: Page, small_server: Server
) -> None:
    chat = await Chat.of(page, small_server, "scroller")
    await page.set_viewport_size({"width": 900, "height": 420})
    await chat.open()
    await chat.ask("/slow 1")
    await chat.in_session()
    await _turns(chat, [f"/slow {n}" for n in range(2, 13)])
    await page.reload()
    await expect(chat.last_answer()).to_contain_text("word12")
    scroll = page.locator("#scroll")
    below = "(e) => e.scrollHeight - e.scrollTop - e.clientHeight"
    assert await scroll.evaluate(below) < 2
    marked = page.locator(".prompt", has_text="/slow 11")
    place = await marked.bounding_box()
    await expect(page.locator(".prompt")).not_to_have_count(2)  # a page came by itself
    now = await marked.bounding_box()
    assert now
    assert place
    # A browser scrolls by whole pixels, and lines have parts of one.
    assert abs(now["y"] - place["y"]) < 1

    async def all_there() -> bool:
        await scroll.hover()
        await page.mouse.wheel(0, -400)
        return await page.locator(".prompt").count() == 12

    await eventually(all_there, what="the first prompt")
    prompts = [text for role, text in await chat.transcript() if role == "prompt"]
    assert prompts == [f"/slow {n}" for n in range(1, 13)]
    await scroll.evaluate("(e) => { e.scrollTop = 0; }")
    await expect(page.locator("#older-text")).to_have_text("The beginning of this chat")


async def test_older_messages_that_had_no_line_come_when_it_is_back(
    page: Page, small_server: Server
) -> None:
    chat = await Chat.of(page, small_server, "tunnel")
    await chat.open()
    await chat.ask("/slow 1")
    await chat.in_session()
    await _turns(chat, [f"/slow {n}" for n in range(2, 13)])
    await page.route("**/messages?*", lambda route: route.abort(), times=1)
    await page.set_viewport_size({"width": 900, "height": 2000})
    await page.reload()
    await expect(page.locator("#older-text")).to_have_text("Older messages could not be loaded.")
    small_server.kill()
    await expect(chat.line).not_to_have_attribute("data-kind", "live")
    small_server.start()
    await chat.live(within_s=35)
    await expect(page.locator("#older-text")).to_have_text("The beginning of this chat")
    await expect(page.locator(".prompt")).to_have_count(12)


async def test_a_stale_connection_id_costs_a_reconnect_and_no_prompt(chat: Chat) -> None:
    await chat.open()
    await chat.ask("/slow 1")
    statuses: list[int] = []
    streams: list[str] = []

    def note(response: Response) -> None:
        if "/chat/send" in response.url:
            statuses.append(response.status)
        elif "/chat/events" in response.url:
            streams.append(response.url)

    chat.page.on("response", note)

    async def as_if_stale(route: Route) -> None:
        headers = {**route.request.headers, "x-connection-id": str(uuid4())}
        await route.continue_(headers=headers)

    await chat.page.route("**/api/chat/send", as_if_stale, times=1)
    await chat.ask("/slow 2")
    assert statuses == [404, 202]
    assert len(streams) == 1
    sent = [event["text"] for event in chat.log() if event["type"] == "user_message"]
    assert sent == ["/slow 1", "/slow 2"]


async def test_a_receipt_that_is_lost_is_asked_for_again_and_the_prompt_runs_once(
    chat: Chat,
) -> None:
    await chat.open()
    bodies: list[str] = []

    async def lose_the_answer(route: Route) -> None:
        bodies.append(route.request.post_data or "")
        await route.fetch()
        await route.abort()

    await chat.page.route("**/api/chat/send", lose_the_answer, times=1)

    async def keep(route: Route) -> None:
        bodies.append(route.request.post_data or "")
        await route.fallback()

    await chat.page.route("**/api/chat/send", keep)
    await chat.ask("/slow 2")
    assert len(bodies) == 3  # kept, then lost, then kept again
    assert len(set(bodies)) == 1
    assert [event["type"] for event in chat.log()].count("user_message") == 1
    assert [event["type"] for event in chat.log()].count("turn_start") == 1


async def test_a_refused_prompt_stays_with_its_reason_and_can_be_sent_again(chat: Chat) -> None:
    await chat.open()
    await chat.ask("/slow 1")

    async def refuse(route: Route) -> None:
        error = {"ok": False, "code": "prompt_too_large", "error": "The prompt is too large."}
        await route.fulfill(status=413, json=error)

    await chat.page.route("**/api/chat/send", refuse, times=1)
    await chat.send("/slow 2")
    await expect(chat.page.locator(".delivery-why").last).to_have_text("The prompt is too large.")
    await chat.page.reload()
    await expect(chat.page.locator(".delivery-why").last).to_have_text("The prompt is too large.")
    await chat.page.locator(".is-needed").get_by_role("button", name="Send again").click()
    await chat.answered(2)


async def test_an_ended_log_in_keeps_the_prompt_until_the_same_person_is_back(chat: Chat) -> None:
    await chat.open()
    await chat.ask("/slow 1")
    session = chat.session
    context = chat.page.context
    await context.clear_cookies()
    await chat.send("/slow 2")
    banner = chat.page.locator("#banner")
    await expect(banner).to_contain_text("You are signed out. One prompt waits")
    await chat.page.get_by_role("link", name="Log in").click()
    await expect(chat.page.get_by_label("Password")).to_be_visible()
    await log_in(context, chat.server, "somebody-else")
    await chat.open()
    assert await chat.page.locator(".delivery-label", has_text="Waiting").count() == 0
    await context.clear_cookies()
    await log_in(context, chat.server, chat.name)
    await chat.page.goto(f"{chat.server.url}/s/{session}")
    await chat.answered(2)
    assert not chat.server.data.call("prompts", name="somebody-else")


async def test_a_reload_sends_what_the_outbox_still_holds_in_order(chat: Chat) -> None:
    await chat.open()
    await chat.ask("/slow 1")
    await chat.page.route("**/api/chat/send", lambda route: route.abort())
    for number in (2, 3, 4):
        await chat.send(f"/slow {number}")
    await expect(chat.deliveries).to_have_text(["Answered", *["Waiting to send"] * 3])
    await chat.page.unroute("**/api/chat/send")
    await chat.page.reload()
    await chat.answered(4)
    sent = [event["text"] for event in chat.log() if event["type"] == "user_message"]
    assert sent == ["/slow 1", "/slow 2", "/slow 3", "/slow 4"]


async def test_more_prompts_than_the_outbox_holds_are_shown_as_not_sent(
    page: Page, make_server
) -> None:
    server: Server = make_server(environment={"CHAT_MAX_PENDING_SENDS": "2"})
    chat = await Chat.of(page, server, "eager")
    await chat.open()
    await chat.ask("/slow 1")
    held: list[Route] = []

    async def hold(route: Route) -> None:
        held.append(route)

    await chat.page.route("**/api/chat/send", hold, times=1)
    for number in (2, 3, 4):
        await chat.send(f"/slow {number}")
    # The one whose POST is under way stays: nobody could say that it was not sent.
    await expect(chat.deliveries).to_have_text(
        ["Answered", "Sending", "Not sent", "Waiting to send"]
    )
    await held[0].continue_()
    await expect(chat.deliveries).to_have_text(["Answered"] * 3 + ["Not sent"], timeout=20_000)
    await chat.page.locator(".is-needed").get_by_role("button", name="Send again").click()
    await chat.answered(4)
    sent = [event["text"] for event in chat.log() if event["type"] == "user_message"]
    assert sent == ["/slow 1", "/slow 2", "/slow 4", "/slow 3"]


async def test_a_prompt_that_the_server_never_takes_can_be_discarded_and_the_next_one_goes(
    chat: Chat,
) -> None:
    await chat.open()
    await chat.ask("/slow 1")

    async def fail(route: Route) -> None:
        if "/slow 2" in (route.request.post_data or ""):
            await route.fulfill(status=500, body="<html>broken</html>")
        else:
            await route.fallback()

    await chat.page.route("**/api/chat/send", fail)
    await chat.send("/slow 2")
    await chat.send("/slow 3")
    stuck = chat.prompts.filter(has_text="/slow 2")
    await expect(stuck.locator(".delivery-label")).to_have_text("Waiting to send")
    await expect(stuck.locator(".delivery-why")).to_be_empty()  # an answer came: no doubt
    # The one behind it was never tried: it only waits its turn.
    behind = chat.prompts.filter(has_text="/slow 3")
    await expect(behind.get_by_role("button", name="Discard")).to_be_hidden()
    await stuck.get_by_role("button", name="Discard").click()
    await expect(stuck).to_have_count(0)
    await chat.answered(2)


async def test_an_unknown_answer_of_a_proxy_is_no_receipt(chat: Chat) -> None:
    await chat.open()
    await chat.ask("/slow 1")
    page_of_a_proxy = {"status": 502, "body": "<html>bad gateway</html>"}
    await chat.page.route(
        "**/api/chat/send", lambda route: route.fulfill(**page_of_a_proxy), times=2
    )
    await chat.ask("/slow 2")
    kept = await chat.page.evaluate("JSON.stringify({...sessionStorage})")
    assert not [
        entry
        for key, value in json.loads(kept).items()
        if key.startswith("backstay.outbox")
        for entry in json.loads(value)["entries"]
    ]


async def test_a_log_in_in_another_tab_makes_the_page_anew_and_the_prompt_goes(chat: Chat) -> None:
    await chat.open()
    await chat.ask("/slow 1")
    await log_in(chat.page.context, chat.server, chat.name)
    await chat.send("/slow 2")  # its CSRF token is of the last log-in
    await chat.answered(2)
    sent = [event["text"] for event in chat.log() if event["type"] == "user_message"]
    assert sent == ["/slow 1", "/slow 2"]


async def test_a_folder_that_is_refused_can_be_changed(page: Page, server: Server) -> None:
    chat = await Chat.of(page, server, "owner")  # alone on the server: who may choose folders
    await chat.open()
    folder = chat.page.get_by_label("Folder on the server")
    await folder.fill("/nowhere/at/all")
    await chat.send("/slow 1")
    await expect(chat.page.locator(".delivery-why")).not_to_be_empty()
    await expect(folder).to_be_visible()
    await folder.fill("")
    await chat.page.locator(".is-needed").get_by_role("button", name="Edit").click()
    await expect(chat.prompt).to_have_value("/slow 1")
    await chat.prompt.press("Enter")
    await expect(chat.deliveries).to_have_text("Answered")
