"""One sentence per reason: another server in between, an address that is refused, signed out."""

from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Route, expect

from tests.browser.chat import Chat

Answer = Callable[[Route], Awaitable[None]]


async def log_in_page(route: Route) -> None:
    """Answer as a proxy does that wants a log-in of its own."""
    await route.fulfill(content_type="text/html", body="<title>Log in to the network</title>")


async def redirect(route: Route) -> None:
    """Send the browser to the log-in page of another host."""
    await route.fulfill(status=302, headers={"Location": "https://sso.example/login"})


async def other_json(route: Route) -> None:
    """Answer JSON of another shape."""
    await route.fulfill(status=401, json={"message": "Unauthorized"})


@pytest.mark.parametrize("answer", [log_in_page, redirect, other_json])
async def test_another_server_in_between_has_a_sentence_of_its_own(
    chat: Chat, answer: Answer
) -> None:
    await chat.open()
    await chat.ask("/slow 1")
    await chat.page.route("**/api/**", answer)
    await chat.page.reload()
    banner = chat.page.locator("#banner")
    await expect(chat.line).to_have_attribute("data-kind", "foreign")
    await expect(chat.line).to_have_text("Blocked")
    await expect(banner).to_contain_text("Another server answers in")
    await expect(banner.get_by_role("link", name="Reload")).to_be_visible()
    await chat.send("/slow 2")
    await expect(banner).to_contain_text("One prompt waits in this tab and will be sent then.")
    await expect(chat.page.locator(".delivery-why")).to_have_text("")  # it was stopped on its way
    await chat.page.unroute("**/api/**", answer)
    await chat.live(within_s=40)
    await expect(banner).to_be_hidden(timeout=40_000)
    await chat.answered(2)


async def test_a_refused_address_is_told_and_is_no_loop(chat: Chat) -> None:
    async def through_a_proxy(route: Route) -> None:
        headers = {**await route.request.all_headers(), "origin": "https://chat.example"}
        await route.fulfill(response=await route.fetch(headers=headers))

    loads = 0

    def count(_: object) -> None:
        nonlocal loads
        loads += 1

    await chat.open()
    chat.page.on("load", count)
    await chat.page.route("**/api/chat/send", through_a_proxy)
    await chat.send("/slow 1")
    banner = chat.page.locator("#banner")
    await expect(banner).to_contain_text("no requests from pages of https://chat.example")
    await expect(banner).to_contain_text("BEHIND_HTTPS")
    await expect(banner).not_to_contain_text("signed out")
    await expect(banner.get_by_role("link", name="Reload")).to_be_visible()
    await chat.page.evaluate("dispatchEvent(new Event('online'))")
    await expect(banner).to_contain_text("One prompt waits")
    assert loads == 0


async def test_who_is_signed_out_reads_that(chat: Chat) -> None:
    await chat.open()
    await chat.page.context.clear_cookies()
    await chat.send("/slow 1")
    banner = chat.page.locator("#banner")
    await expect(banner).to_contain_text("You are signed out. One prompt waits")
    await expect(banner.get_by_role("link", name="Log in")).to_be_visible()
