"""The administration: the list of deliveries fits its window, and a session leads to its chat."""

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
