"""A person chats: tokens one by one, the same transcript after every interruption."""

import html
import itertools
import re

from playwright.async_api import Page, expect

from tests.browser.chat import Chat, eventually, words
from tests.support.server import Server


async def test_one_time_link_logs_in_once(page: Page, server: Server) -> None:
    await page.goto(server.login_link)
    await page.get_by_role("button", name="Log in as owner").click()
    await expect(page.locator("#new-chat-title")).to_be_visible()
    await expect(page.locator("#line")).to_have_attribute("data-kind", "live")
    await page.get_by_role("button", name="Log out").click()
    await expect(page.get_by_role("button", name="Log in")).to_be_visible()
    await page.goto(server.login_link)
    await expect(page.locator("main")).to_contain_text("used already")


async def test_the_answer_comes_word_by_word(chat: Chat) -> None:
    await chat.open()
    await chat.record()
    await chat.ask("/slow 20")
    seen = await chat.recorded()
    assert len({text for text in seen if text.strip()}) >= 10
    grown = [text for text in seen if text]
    assert all(b.startswith(a.rstrip()) for a, b in itertools.pairwise(grown))
    assert await chat.transcript() == [("prompt", "/slow 20"), ("answer", words(20))]


async def test_the_demo_agent_explains_itself_in_rendered_markdown(chat: Chat) -> None:
    await chat.open()
    await chat.ask("Hello")
    await expect(chat.page.locator(".answer .prose h5").first).to_be_visible()
    await expect(chat.page.locator(".answer .prose pre code").first).to_be_visible()
    thought = chat.page.locator(".answer details.thinking")
    await expect(thought).not_to_have_attribute("open", "")
    await thought.locator("summary").click()
    await expect(thought.locator(".block-body")).not_to_be_empty()
    await expect(chat.page.locator("#usage")).to_contain_text("in ·")


async def test_a_reload_in_mid_answer_shows_the_same_transcript(chat: Chat) -> None:
    await chat.open()
    await chat.send("/slow 30")
    await expect(chat.last_answer()).to_contain_text("word5")
    await chat.page.reload()
    await expect(chat.last_answer()).to_contain_text("word6")
    await expect(chat.deliveries).to_have_text("Answered", timeout=15_000)
    assert await chat.transcript() == [("prompt", "/slow 30"), ("answer", words(30))]


async def test_offline_and_online_again_leaves_no_hole_and_repeats_nothing(chat: Chat) -> None:
    await chat.open()
    await chat.send("/slow 60")
    await expect(chat.last_answer()).to_contain_text("word5")
    await chat.page.context.set_offline(True)
    await expect(chat.line).to_have_attribute("data-kind", "offline")
    shown = await chat.last_answer().inner_text()
    await eventually(
        lambda: _log_is_longer(chat, len(shown.split()) + 10), what="an answer without us"
    )
    await chat.page.context.set_offline(False)
    await chat.live(within_s=5)
    await expect(chat.deliveries).to_have_text("Answered", timeout=15_000)
    assert await chat.transcript() == [("prompt", "/slow 60"), ("answer", words(60))]


async def _log_is_longer(chat: Chat, words_said: int) -> bool:
    said = "".join(event["delta"] for event in chat.log() if event["type"] == "block_delta")
    return len(said.split()) >= words_said


async def test_a_prompt_written_offline_goes_out_when_the_network_is_back(chat: Chat) -> None:
    await chat.open()
    await chat.ask("/slow 1")
    await chat.page.context.set_offline(True)
    await chat.send("/slow 2")
    await chat.send("/slow 3")
    await expect(chat.deliveries.nth(2)).to_have_text("Waiting to send")
    await chat.page.context.set_offline(False)
    await expect(chat.deliveries.nth(2)).to_have_text("Answered", timeout=20_000)
    prompts = [text for role, text in await chat.transcript() if role == "prompt"]
    assert prompts == ["/slow 1", "/slow 2", "/slow 3"]
    logged = [event["text"] for event in chat.log() if event["type"] == "user_message"]
    assert logged == prompts


async def test_a_killed_server_comes_back_and_the_page_with_it(page: Page, server: Server) -> None:
    chat = await Chat.of(page, server, "alice")
    await chat.open()
    await chat.send("/slow 300")
    await expect(chat.last_answer()).to_contain_text("word5")
    server.kill()
    await expect(chat.line).to_have_text(re.compile("Reconnecting"))
    server.start()
    await chat.live(within_s=35)
    await expect(chat.deliveries).to_have_text("Interrupted by a restart", timeout=45_000)
    await expect(page.locator(".ending")).to_contain_text("not run again")
    shown = (await chat.last_answer().inner_text()).strip()
    assert shown == words(len(shown.split()))
    await chat.ask("/slow 3")
    assert (await chat.transcript())[-1] == ("answer", words(3))
    seqs = [event["seq"] for event in chat.log()]
    assert seqs == list(range(1, len(seqs) + 1))


async def test_who_does_not_want_to_wait_tries_again_at_once(page: Page, server: Server) -> None:
    await page.clock.install()
    chat = await Chat.of(page, server, "alice")
    await chat.open()
    await chat.ask("/slow 1")
    await page.clock.pause_at(await page.evaluate("Date.now() + 1"))
    server.kill()
    retry = page.get_by_role("button", name="Try now")

    async def is_offered() -> bool:
        await page.clock.run_for(400)
        return await retry.is_visible()

    await eventually(is_offered, what="the button")
    server.start()  # time stands still: no try comes by itself
    await retry.click()
    # Connected again. Nothing is drawn before the frames of the page move, too.
    await expect(chat.line).to_have_attribute("data-kind", "loading")
    await expect(retry).to_be_hidden()
    await page.clock.resume()
    await chat.live()
    await chat.ask("/slow 2")


async def test_a_prompt_sent_while_the_agent_works_waits_its_turn(chat: Chat) -> None:
    await chat.open()
    await chat.send("/slow 60")
    await expect(chat.last_answer()).to_contain_text("word2")
    await chat.send("/slow 2")
    await expect(chat.deliveries).to_have_text(["", "Queued, 2nd"])
    await expect(chat.deliveries.nth(1)).to_have_text("Answered", timeout=30_000)
    assert await chat.transcript() == [
        ("prompt", "/slow 60"),
        ("answer", words(60)),
        ("prompt", "/slow 2"),
        ("answer", words(2)),
    ]


async def test_follow_ups_of_a_new_chat_land_in_its_one_session(chat: Chat) -> None:
    await chat.open()
    for text in ("/slow 1", "/slow 2", "/slow 3"):
        await chat.send(text)
    await expect(chat.deliveries.nth(2)).to_have_text("Answered", timeout=20_000)
    assert {entry["session"] for entry in chat.server.data.call("prompts", name=chat.name)} == {
        chat.session
    }
    await expect(chat.page.locator(".row")).to_have_count(1)


async def test_escape_stops_the_answer(chat: Chat) -> None:
    await chat.open()
    await chat.send("/slow 300")
    await expect(chat.last_answer()).to_contain_text("word3")
    await chat.prompt.press("Escape")
    await expect(chat.deliveries).to_have_text("Interrupted")
    await expect(chat.page.locator(".ending")).to_contain_text("You interrupted this answer.")
    await expect(chat.page.locator("#stop")).to_be_hidden()


async def test_an_agent_that_refuses_is_stopped_and_the_person_is_told(chat: Chat) -> None:
    await chat.open()
    await chat.send("/refuse-interrupt")
    await expect(chat.last_answer()).to_contain_text("word3")
    await chat.page.locator("#stop").click()
    await expect(chat.page.locator(".notice").first).to_be_visible(timeout=30_000)
    await expect(chat.page.locator("#stop")).to_be_hidden(timeout=30_000)
    await chat.ask("/slow 2")


async def test_a_crash_is_told_and_offers_another_try(chat: Chat) -> None:
    await chat.open()
    await chat.send("/crash")
    await expect(chat.deliveries).to_have_text("The agent crashed", timeout=20_000)
    await chat.page.locator(".ending").get_by_role("button", name="Edit").click()
    await expect(chat.prompt).to_have_value("/crash")
    await expect(chat.prompt).to_be_focused()


async def test_a_flood_does_not_freeze_the_page(chat: Chat) -> None:
    await chat.open()
    await chat.page.evaluate(
        """() => {
          let last = performance.now();
          window.longestFrameMs = 0;
          const next = (now) => {
            window.longestFrameMs = Math.max(window.longestFrameMs, now - last);
            last = now;
            requestAnimationFrame(next);
          };
          requestAnimationFrame(next);
        }"""
    )
    await chat.ask("/flood 30000", within_s=60)
    assert (await chat.last_answer().inner_text()).split()[-1] == "30000"
    # A frozen page stands for many seconds; a busy machine alone makes frames of a few hundred ms.
    assert await chat.page.evaluate("window.longestFrameMs") < 2_000


async def test_control_enter_stops_the_answer_and_goes_on_with_the_prompt(chat: Chat) -> None:
    await chat.open()
    await chat.send("/slow 300")
    await expect(chat.last_answer()).to_contain_text("word3")
    await chat.prompt.fill("/slow 2")
    await chat.prompt.press("Control+Enter")
    await expect(chat.deliveries).to_have_text(["Interrupted", "Answered"], timeout=15_000)
    assert (await chat.transcript())[-1] == ("answer", words(2))


async def test_the_local_model_answers_with_real_tokens(chat: Chat) -> None:
    await chat.open()
    await chat.page.get_by_role("radio", name=re.compile("Local model")).check()
    await chat.record()
    await chat.ask("Write two short sentences about the sea.", within_s=60)
    # Labelled for what it is.
    await expect(chat.page.locator("#about")).to_contain_text("often wrong")
    assert len({text for text in await chat.recorded() if text.strip()}) >= 3
    logged = [event["html"] for event in chat.log() if event["type"] == "block_end"][-1]
    as_text = html.unescape(re.sub(r"<[^>]*>", "", logged))
    assert (await chat.last_answer().inner_text()).split() == as_text.split()
