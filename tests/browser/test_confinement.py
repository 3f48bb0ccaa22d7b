"""Confinement that is off, or that this system holds in part: the page and the picker say so."""

from collections.abc import Callable

import pytest
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


@pytest.mark.parametrize(("is_whole", "note"), [(False, PART), (True, "")], ids=["part", "whole"])
async def test_the_picker_says_what_of_the_confinement_does_not_hold(
    chat: Chat, is_whole: bool, note: str
) -> None:
    async def confined(route: Route) -> None:
        answer = await route.fetch()
        told = await answer.json()
        for agent in told["agents"]:
            agent["isConfined"] = True
        told["confinement"] = {"kind": "landlock", "sentence": PART, "isWhole": is_whole}
        await route.fulfill(response=answer, json=told)

    await chat.page.route("**/api/agents", confined)
    await chat.open()
    await expect(chat.page.get_by_role("radio").first).to_be_attached()
    await expect(chat.page.locator("#agents-note")).to_have_text(note)
