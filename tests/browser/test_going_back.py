"""Going back to a prompt: the choice with its changes, the folded messages, the undo, a fork."""

from playwright.async_api import expect

from tests.browser.chat import Chat
from tests.browser.test_work import allowed


async def test_a_chat_goes_back_shows_what_it_took_back_and_undoes_it(chat: Chat) -> None:
    page = chat.page
    await chat.open()
    await allowed(chat, "/edit first line")
    await allowed(chat, "/edit second line")
    shown = page.locator(".item.prompt:visible")
    await shown.nth(1).hover()
    await shown.nth(1).get_by_role("button", name="Go back").click()
    dialog = page.locator(".back-dialog")
    row = dialog.locator(".change").filter(has_text="demo-notes.txt")
    await row.locator("summary").click()
    await expect(row.locator(".diff-row.added")).to_contain_text("second line")
    await dialog.get_by_role("button", name="Go back").click()
    await expect(dialog).to_have_count(0)
    line = page.locator(".rewound-line")
    await expect(line).to_contain_text("2 messages were taken back")
    await expect(shown).to_have_count(1)
    await expect(page.locator("#prompt")).to_have_value("/edit second line")
    notice = page.locator(".item.notice").filter(has_text="restored 1 file")
    await expect(notice).to_have_count(1)
    await line.get_by_role("button", name="Show").click()
    await expect(shown).to_have_count(2)
    await line.get_by_role("button", name="Undo").click()
    await expect(line).to_have_count(0)
    await notice.get_by_role("button", name="Undo").click()
    await expect(page.locator(".item.notice").filter(has_text="restored 1 file")).to_have_count(2)
    await page.reload()
    await expect(shown).to_have_count(2)
    await shown.nth(1).hover()
    await shown.nth(1).get_by_role("button", name="Go back").click()
    await expect(dialog.locator(".change")).to_have_count(1)
    await dialog.get_by_label("Fork: continue from here").check()
    before = page.url
    # The chat is in a folder of its own, which has no worktrees.
    await expect(dialog.get_by_label("New branch")).to_be_hidden()
    await dialog.get_by_role("button", name="Fork").click()
    await expect(page).not_to_have_url(before)
    await expect(shown).to_have_count(1)
    await expect(page.locator("#sidebar")).to_contain_text("(fork)")
