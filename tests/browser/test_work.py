"""The folder of a chat beside it: its changes stay current, comments become one prompt."""

from playwright.async_api import Browser, Locator, expect

from tests.browser.chat import Chat, eventually
from tests.browser.test_devices import second_device

MINUS = "\N{MINUS SIGN}"


async def allowed(chat: Chat, prompt: str) -> None:
    """Send a prompt whose one action is allowed, and wait for the answer."""
    count = await chat.prompts.count()
    await chat.send(prompt)
    card = chat.page.locator(".permission[data-armed=true]")
    await expect(card).to_have_count(1)
    await card.locator(".permission-action").evaluate("(box) => box.scrollTo(0, box.scrollHeight)")
    await card.get_by_role("button", name="Allow once").click()
    await expect(chat.deliveries.nth(count)).to_have_text("Answered")


def row(chat: Chat, path: str) -> Locator:
    return chat.page.locator("#work-list .change").filter(has_text=path)


async def test_changes_are_one_click_away_and_stay_current(chat: Chat) -> None:
    await chat.open()
    await allowed(chat, "/edit first line")
    await chat.page.get_by_role("button", name="Changes", exact=True).click()
    notes = row(chat, "demo-notes.txt")
    await expect(notes.locator(".change-state")).to_have_text("New")
    await expect(notes.locator(".diff-count")).to_have_text(f"+1 {MINUS}0")
    await expect(chat.page.locator("#work-note")).to_contain_text("Without git")
    await notes.locator("summary").click()
    await expect(notes.locator(".diff-row.added")).to_contain_text("first line")
    await expect(notes.locator(".diff-row.added .diff-sign")).to_have_text("+")
    # A shell command is seen without a reload, and an open diff follows.
    await allowed(chat, "/run echo second >> demo-notes.txt; echo x > by-shell.txt")
    await expect(row(chat, "by-shell.txt")).to_have_count(1)
    await expect(notes.locator(".diff-row.added")).to_have_count(2)
    await expect(chat.page.locator("#work-total")).to_have_text(f"2 files, +3 {MINUS}0")
    await chat.page.locator("#work-changes-tab").focus()
    await chat.page.keyboard.press("Escape")
    await expect(chat.page.locator("#work")).to_be_hidden()
    await expect(chat.page.locator("#open-changes")).to_be_focused()


async def test_a_file_is_discarded_after_a_question_and_the_chat_says_who_did_it(
    chat: Chat,
) -> None:
    await chat.open()
    await allowed(chat, "/edit unwanted")
    await chat.page.locator("#open-changes").click()
    notes = row(chat, "demo-notes.txt")
    await notes.locator("summary").click()
    await notes.get_by_role("button", name="Discard the changes").click()
    dialog = chat.page.locator("#discard-dialog")
    await expect(dialog).to_contain_text("demo-notes.txt")
    await dialog.get_by_role("button", name="Discard").click()
    await expect(notes).to_have_count(0)
    notice = chat.page.locator(".item.notice")
    await expect(notice).to_contain_text(f"{chat.name} discarded the changes of demo-notes.txt.")


async def _words(changed: Locator) -> list[list[str]]:
    return [text.split() for text in await changed.locator(".diff-row").all_inner_texts()]


async def on_both_sides(chat: Chat, changed: Locator) -> None:
    """See a removed row beside the added one in its place, in the same order as before."""
    words = await _words(changed)
    await chat.page.set_viewport_size({"width": 1440, "height": 900})
    await chat.page.get_by_role("button", name="Side by side").click()
    removed, added = (changed.locator(f".diff-row.{kind}").first for kind in ("removed", "added"))

    async def are_level() -> bool:
        left, right = await removed.bounding_box(), await added.bounding_box()
        if left is None or right is None:
            return False
        return left["y"] == right["y"] and left["x"] + left["width"] <= right["x"] + 1

    await eventually(are_level)
    assert await _words(changed) == words
    kept = await chat.page.evaluate("Object.keys(localStorage).filter((k) => k.includes('sides'))")
    assert len(kept) == 1
    await chat.page.get_by_role("button", name="Side by side").click()


async def test_files_are_staged_and_committed_and_one_change_is_discarded(chat: Chat) -> None:
    await chat.open()
    await allowed(
        chat,
        "/run git init -q; seq 40 > a.txt; git add .; git -c user.name=a"
        " -c user.email=b commit -qm first; sed -i 's/^3$/three/; s/^30$/thirty/' a.txt",
    )
    await chat.page.locator("#open-changes").click()
    await chat.page.locator("#work-since").select_option("head")
    changed = row(chat, "a.txt")
    await changed.locator("summary").click()
    await changed.get_by_role("button", name="Show lines 7\N{EN DASH}26").click()
    await expect(changed.locator(".diff-row.kept")).to_have_count(6 + 6 + 20 - 1)
    await expect(changed.locator("[data-line='16']")).to_have_text("16")
    await on_both_sides(chat, changed)
    await changed.get_by_role("button", name="Discard the change at line 27").click()
    dialog = chat.page.locator("#discard-dialog")
    await expect(dialog).to_contain_text("a.txt, line 27")
    await dialog.get_by_role("button", name="Discard").click()
    await expect(changed.locator(".diff-row.added")).to_have_count(1)
    await changed.get_by_role("button", name="Stage", exact=True).click()
    message = chat.page.get_by_label("Message of the commit")
    await expect(message).not_to_have_value("")  # the title of the chat
    await message.fill("Count to three")
    await chat.page.get_by_role("button", name="Commit 1 file").click()
    await expect(changed).to_have_count(0)
    await expect(chat.page.locator(".item.notice").last).to_contain_text("Count to three.")


async def test_comments_wait_over_a_reload_and_go_out_as_one_prompt(chat: Chat) -> None:
    await chat.open()
    await allowed(chat, "/edit look at this")
    await chat.page.locator("#open-changes").click()
    notes = row(chat, "demo-notes.txt")
    await notes.locator("summary").click()
    await notes.locator(".diff-rows").focus()
    await chat.page.keyboard.press("ArrowDown")
    await chat.page.keyboard.press("Enter")
    await (
        chat.page.get_by_label("Comment on line 1")
        .and_(chat.page.locator("textarea"))
        .fill("Why this?")
    )
    await chat.page.keyboard.press("Control+Enter")
    comments = chat.page.locator("#comments li")
    await expect(comments).to_have_count(1)
    await chat.page.reload()
    await chat.live()
    await expect(comments).to_contain_text("demo-notes.txt:1")
    await chat.page.get_by_role("button", name="Send the comment").click()
    await expect(chat.prompts.last).to_contain_text("demo-notes.txt:1")
    await expect(chat.prompts.last).to_contain_text("look at this")
    await expect(chat.prompts.last).to_contain_text("Why this?")
    await expect(comments).to_have_count(0)


async def test_a_comment_is_on_every_device_and_sent_once(chat: Chat, browser: Browser) -> None:
    await chat.open()
    await allowed(chat, "/edit look at this")
    await chat.in_session()
    phone = await second_device(chat, browser, width=390)
    await chat.page.locator("#open-changes").click()
    notes = row(chat, "demo-notes.txt")
    await notes.locator("summary").click()
    await notes.locator("button.diff-line").click()
    await chat.page.locator(".comment-form textarea").fill("Why this?")
    await chat.page.get_by_role("button", name="Add the comment").click()
    there = phone.page.locator("#comments li")
    await expect(there).to_contain_text("Why this?")
    assert await phone.overflow_px() == 0
    await phone.page.get_by_role("button", name="Send the comment").click()
    await expect(phone.prompts.last).to_contain_text("Why this?")
    await expect(chat.page.locator("#comments li")).to_have_count(0)
    await expect(chat.prompts.last).to_contain_text("Why this?")
    await phone.page.context.close()


async def test_files_are_browsed_read_and_opened_at_a_line(chat: Chat) -> None:
    await chat.open()
    await allowed(chat, "/run mkdir sub; printf 'def f():\\n    return 1\\n' > sub/a.py")
    await chat.page.locator("#open-files").click()
    await chat.page.locator("#files-list").get_by_role("button", name="sub").click()
    await chat.page.locator("#files-list").get_by_role("button", name="a.py").click()
    code = chat.page.locator("#file-shown .code-rows")
    await expect(code.locator(".diff-row")).to_have_count(2)
    await expect(code.locator(".code-keyword").first).to_have_text("def")
    await chat.page.locator("#work-crumbs").get_by_role("button", name="sub").click()
    await expect(chat.page.locator("#files-list")).to_contain_text("a.py")
    # The diff of the file has the same colours.
    await chat.page.locator("#work-changes-tab").click()
    await row(chat, "sub/a.py").locator("summary").click()
    changed = row(chat, "sub/a.py").locator(".diff-row.added")
    await expect(changed).to_have_count(2)
    await expect(changed.locator(".code-keyword").first).to_have_text("def")
    await chat.page.locator("#work-close").click()
    await allowed(chat, "/edit one")
    await chat.ask("sub/a.py:2")
    # The path in an answer opens the file at its line.
    await chat.answers.last.locator(".prose .path-button").click()
    await expect(chat.page.locator("#file-shown .wanted .diff-line")).to_have_text("2")
    await chat.page.locator(".block.tool summary").last.click()
    await chat.page.locator(".tool-shown .path-button").last.click()
    await expect(chat.page.locator("#file-shown")).to_contain_text("one")


async def test_five_thousand_changed_lines_come_without_a_freeze(chat: Chat) -> None:
    await chat.open()
    await allowed(chat, "/run seq 1 5000 > many.txt")
    await chat.page.locator("#open-changes").click()
    many = row(chat, "many.txt")
    await expect(many.locator(".diff-count")).to_have_text(f"+5000 {MINUS}0")
    await many.locator("summary").click()
    await expect(many.locator(".diff-row.added")).to_have_count(5_000)


async def test_the_folder_fits_a_phone(chat: Chat) -> None:
    await chat.page.set_viewport_size({"width": 360, "height": 740})
    await chat.open()
    await allowed(chat, "/edit a line")
    await chat.page.get_by_role("button", name="Changes", exact=True).click()
    await row(chat, "demo-notes.txt").locator("summary").click()
    await expect(chat.page.locator("#work-changes .diff-row.added")).to_have_count(1)
    assert await chat.overflow_px() == 0
    work = await chat.page.locator("#work").bounding_box()
    assert work is not None
    assert (work["x"], work["width"]) == (0, 360)
    await chat.page.get_by_role("button", name="Close the folder").click()
    await expect(chat.page.locator("#work")).to_be_hidden()
