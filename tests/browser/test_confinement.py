"""Confinement that is off, or that this system holds in part: the page and the picker say so."""

from collections.abc import Callable

from playwright.async_api import Page, Route, expect

from tests.browser.chat import Chat
from tests.support.server import Server

OFF = "Agents on this server are not confined."
PART = "Agents on this server are confined (landlock, but for the server's ports)."


async def test_agents_that_nothing_holds_are_told_on_both_pages(
    page: Page, make_server: Callable[..., Server]
) -> None:
    server = make_server(environment={"CHAT_AGENT_CONFINE": "off"})
    server.create_user("ada", staff=True)
    chat = await Chat.of(page, server, "ada")
    await chat.open()
    await expect(page.locator("#agents-note")).to_have_text(OFF)
    await page.goto(f"{server.url}/account/agents/")
    await expect(page.get_by_text(OFF)).to_be_visible()
    await expect(page.locator(".item").first).to_contain_text("Ready, not confined.")


async def test_a_confinement_that_is_held_in_part_is_told_in_the_picker(chat: Chat) -> None:
    async def in_part(route: Route) -> None:
        answer = await route.fetch()
        told = await answer.json()
        for agent in told["agents"]:
            agent["isConfined"] = True
        told["confinement"] = {"kind": "landlock", "sentence": PART, "isWhole": False}
        await route.fulfill(response=answer, json=told)

    await chat.page.route("**/api/agents", in_part)
    await chat.open()
    await expect(chat.page.locator("#agents-note")).to_have_text(PART)


async def test_nothing_is_told_where_every_part_holds(chat: Chat) -> None:
    async def whole(route: Route) -> None:
        answer = await route.fetch()
        told = await answer.json()
        for agent in told["agents"]:
            agent["isConfined"] = True
        told["confinement"] = {"kind": "landlock", "sentence": PART, "isWhole": True}
        await route.fulfill(response=answer, json=told)

    await chat.page.route("**/api/agents", whole)
    await chat.open()
    await expect(chat.page.get_by_role("radio").first).to_be_attached()
    await expect(chat.page.locator("#agents-note")).to_have_text("")
