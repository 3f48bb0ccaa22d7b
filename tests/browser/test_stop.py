"""What the Stop button and Escape end, also while there is no agent yet."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from playwright.async_api import Page, expect

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


async def test_stopping_a_prompt_that_waits_leaves_the_one_behind_it(
    page: Page, slow_server: Server
) -> None:
    chat = await _waiting(page, slow_server, "waits-twice")
    await chat.send("And this")
    await expect(chat.deliveries).to_have_text(["Sent", "Sent"])
    await page.locator("#stop").click()
    await expect(chat.deliveries).to_have_text(["Interrupted", "Sent"])
    await page.locator("#stop").click()
    await expect(chat.deliveries).to_have_text(["Interrupted", "Interrupted"])
