"""The administration: its colours, its list of deliveries, its way to a chat."""

from __future__ import annotations

from playwright.async_api import Page, expect

from tests.browser.chat import Chat
from tests.support.server import Server

# The longest words of these cells come after a while, or after a fault.
_LONGEST = """() => {
  document.querySelector(".field-caught_up").textContent = "skipped 6000 (max_replay_gap)";
  document.querySelector(".field-last_round").textContent = "not synced";
  document.querySelector(".field-last_ping").textContent = "59 min ago";
}"""
_COLOUR = "(link) => getComputedStyle(link).color"
_HIDDEN_PX = """() => Math.max(...[...document.querySelectorAll("html, .results")]
  .map((box) => box.scrollWidth - box.clientWidth))"""


async def test_the_deliveries_fit_their_window_and_a_session_leads_to_its_chat(
    page: Page, chat_server: Server
) -> None:
    chat_server.create_user("warden", staff=True)
    chat = await Chat.of(page, chat_server, "warden")
    await chat.open()
    await chat.ask("Tell me about the plan of this whole long week, please")
    admin = await page.context.new_page()
    await admin.set_viewport_size({"width": 1400, "height": 900})
    await admin.goto(f"{chat.url}/admin/transport/watch/")
    row = admin.locator("#result_list tbody tr").filter(has_text="Tell me about the plan")
    await expect(row.locator(".field-session_link")).to_contain_text("ACTIVE")
    await admin.evaluate(_LONGEST)
    assert await admin.evaluate(_HIDDEN_PX) == 0
    await row.locator(".field-session_link a").click()
    await admin.get_by_role("link", name="Open in the chat").click()
    await admin.wait_for_url(f"**/s/{chat.session}")


async def test_the_administration_has_the_colours_of_the_page(
    page: Page, chat_server: Server
) -> None:
    chat_server.create_user("painter", staff=True)
    chat = await Chat.of(page, chat_server, "painter")
    admin = await page.context.new_page()
    for scheme in ("light", "dark"):
        colours = set()
        for tab, path, link in (
            (page, "account/phone/", "a:text('Back to the account')"),
            (admin, "admin/", "th a"),
        ):
            await tab.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            await tab.goto(f"{chat.url}/{path}")
            colours.add(await tab.locator(link).first.evaluate(_COLOUR))
        assert len(colours) == 1, (scheme, colours)
