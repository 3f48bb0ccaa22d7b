"""What the Stop button and Escape end, also while there is no agent yet."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from playwright.async_api import Page, Route, expect

from tests.browser.chat import Chat
from tests.support.server import Server

# It starts, and never says a word: as an agent that takes longer to come up than a person waits.
SLEEPER = '[agents.sleeper]\nlabel = "Sleeper"\ncommand = ["sleep", "600"]\n'


@pytest.fixture(scope="module")
def slow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with an agent that is never up."""
    folder = tmp_path_factory.mktemp("slow")
    agents = folder / "agents.toml"
    agents.write_text(SLEEPER, encoding="utf-8")
    running = Server(folder, environment={"CHAT_AGENTS_FILE": str(agents)})
    try:
        yield running.start()
    finally:
        running.close()


async def _waiting(page: Page, server: Server, name: str) -> Chat:
    """Open a chat whose one prompt waits for its agent."""
    chat = await Chat.of(page, server, name)
    with server.client(name) as client:
        body = {"clientMsgId": str(uuid4()), "sessionId": None, "text": "Hello", "agent": "sleeper"}
        sent = client.post("/api/chat/send", json=body)
        assert sent.status_code == 202, sent.text
    await chat.open(f"/s/{sent.json()['sessionId']}")
    await expect(chat.deliveries).to_have_text("Sent")
    return chat


@pytest.mark.parametrize("how", ["button", "Escape"])
async def test_a_prompt_that_waits_for_its_agent_can_be_stopped(
    page: Page, slow_server: Server, how: str
) -> None:
    chat = await _waiting(page, slow_server, f"waits-{how.lower()}")
    stop = page.locator("#stop")
    await expect(stop).to_be_visible()
    if how == "button":
        await stop.click()
    else:
        await chat.prompt.press("Escape")
    await expect(chat.deliveries).to_have_text("Interrupted")
    await expect(stop).to_be_hidden()
    ends = [event["stopReason"] for event in chat.log() if event["type"] == "turn_end"]
    assert ends == ["interrupted"]


async def test_a_stop_that_comes_after_the_end_of_its_turn_leaves_the_next_one_alone(
    chat: Chat,
) -> None:
    await chat.open()
    await chat.send("/slow 20")
    await expect(chat.last_answer()).to_contain_text("word3")
    await chat.send("/slow 40")
    held: list[Route] = []

    async def hold(route: Route) -> None:
        held.append(route)

    await chat.page.route("**/api/chat/interrupt", hold, times=1)
    await chat.prompt.press("Escape")
    await expect(chat.deliveries).to_have_text(["Answered", ""])
    first, _second = [e["turnId"] for e in chat.log() if e["type"] == "turn_start"]
    assert held[0].request.post_data_json == {"sessionId": chat.session, "turnId": first}
    await held[0].continue_()
    await expect(chat.page.locator(".toast")).to_contain_text("Nothing was running any more.")
    await chat.answered(2)


async def test_stopping_a_prompt_that_waits_leaves_the_one_behind_it(
    page: Page, slow_server: Server
) -> None:
    chat = await _waiting(page, slow_server, "waits-twice")
    await chat.send("And this")
    await expect(chat.deliveries).to_have_text(["Sent", "Queued, 2nd"])
    await page.locator("#stop").click()
    await expect(chat.deliveries).to_have_text(["Interrupted", "Sent"])
    await page.locator("#stop").click()
    await expect(chat.deliveries).to_have_text(["Interrupted", "Interrupted"])


async def test_a_double_click_on_stop_interrupts_once_and_forces_nothing(chat: Chat) -> None:
    await chat.open()
    await chat.send("/slow 400")
    await expect(chat.last_answer()).to_contain_text("word3")
    asked: list[str] = []

    async def hold(route: Route) -> None:
        asked.append(route.request.url.rsplit("/", 1)[-1])
        await route.continue_()

    await chat.page.route("**/api/chat/interrupt", hold)
    await chat.page.route("**/api/chat/stop", hold)
    await chat.page.locator("#stop").dblclick()
    await expect(chat.deliveries).to_have_text(["Interrupted"])
    assert asked == ["interrupt"]
    requests = [event for event in chat.log() if event["type"] == "interrupt_requested"]
    assert [event["stop"] for event in requests] == [False]


async def test_the_menu_ends_the_agent_process_and_the_chat_stays(chat: Chat) -> None:
    await chat.open()
    await chat.ask("/slow 1")
    await expect(chat.page.locator("#about")).to_contain_text("Ready")
    await chat.page.locator("#open-menu").click()
    await chat.page.get_by_role("button", name="End the agent process (the chat stays)").click()
    await expect(chat.page.locator("#about")).to_contain_text("Starts with your next prompt")
    await expect(chat.last_answer()).to_contain_text("word1")
    await chat.ask("/slow 2")


@pytest.mark.parametrize("name", ["Discard", "Edit"])
async def test_a_double_click_takes_one_prompt_back_and_not_the_next(chat: Chat, name: str) -> None:
    await chat.open()
    await chat.ask("/slow 1")
    refusal = {"status": 400, "json": {"ok": False, "code": "invalid_request", "error": "No."}}
    await chat.page.route("**/api/chat/send", lambda route: route.fulfill(**refusal))
    for text in ("first", "second", "third"):
        await chat.send(text)
    await expect(chat.deliveries).to_have_text(["Answered"] + ["Failed"] * 3)
    first = chat.prompts.filter(has_text="first")
    await first.get_by_role("button", name=name).dblclick()
    await expect(first).to_have_count(0)
    await expect(chat.deliveries).to_have_text(["Answered"] + ["Failed"] * 2)
    left = [text for role, text in await chat.transcript() if role == "prompt"]
    assert left == ["/slow 1", "second", "third"]
    # Wherever the second press of a double click lands, it is no press of its own.
    button = chat.prompts.filter(has_text="second").get_by_role("button", name=name)
    await button.dispatch_event("click", {"detail": 2})
    await expect(chat.deliveries).to_have_text(["Answered"] + ["Failed"] * 2)
    await button.dispatch_event("click", {"detail": 1})
    await expect(chat.deliveries).to_have_text(["Answered", "Failed"])
