"""An agent that edits, asks, offers settings and commands: a person sees it and decides."""

from playwright.async_api import expect

from tests.browser.chat import Chat


async def test_a_change_is_seen_before_the_decision_and_stays_in_the_transcript(chat: Chat) -> None:
    await chat.open()
    await chat.send("/edit first line")
    card = chat.page.locator(".permission")
    await expect(card.locator(".diff-row.added")).to_contain_text("first line")
    await expect(card.locator(".diff-count")).to_have_text("+1 \N{MINUS SIGN}0")
    await expect(card.locator(".permission")).to_have_count(0)
    await expect(chat.page.locator(".permission[data-armed=true]")).to_have_count(1)
    # Allowed is only a change whose end was on the screen.
    await card.locator(".permission-action").evaluate("(box) => box.scrollTo(0, box.scrollHeight)")
    await card.get_by_role("button", name="Allow once").click()
    await expect(chat.answers.last).to_contain_text("I added a line")
    tool = chat.page.locator(".block.tool").last
    await tool.locator("summary").click()
    await expect(tool.locator(".diff-sign").first).to_have_text("+")


async def test_a_question_is_a_form_that_survives_a_reload(chat: Chat) -> None:
    await chat.open()
    await chat.send("/ask")
    form = chat.page.locator("form.question")
    await expect(form).to_contain_text("The demo asks")
    await chat.page.reload()
    await chat.live()
    await form.get_by_label("Colour").select_option("blue")
    await form.get_by_label("How many").fill("4")
    await form.get_by_label("cheap").check()
    await form.get_by_label("Sure?").check()
    await form.get_by_role("button", name="Answer").click()
    await expect(chat.answers.last).to_contain_text("colour: blue")
    await expect(chat.answers.last).to_contain_text("tags: ['cheap']")
    await expect(form).to_have_count(0)


async def test_settings_and_commands_of_the_agent(chat: Chat) -> None:
    await chat.open()
    await chat.ask("/slow 1")
    await chat.page.locator('[data-option="capitals"] input').check()
    await chat.ask("/help")
    await expect(chat.answers.last).to_contain_text("DEMO AGENT, NO AI")
    await chat.prompt.press_sequentially("/ed")
    await expect(chat.page.locator("#command-hints li")).to_have_count(1)
    await chat.prompt.press("Enter")
    await expect(chat.prompt).to_have_value("/edit ")


async def test_settings_are_chosen_before_the_first_prompt_and_remembered(chat: Chat) -> None:
    await chat.open()
    await chat.send("hello")
    await expect(chat.deliveries.last).to_have_text("Answered")
    form = chat.page.locator("#draft-options")
    for value in ("normal", "fast"):
        await chat.open()
        await form.locator("summary").click()
        pace = form.get_by_label("Pace")
        await expect(pace).to_have_value(value)
        await pace.select_option("fast")
        await chat.send("hello again")
        await expect(chat.deliveries.last).to_have_text("Answered")
        await expect(chat.page.locator("#agent-options").get_by_label("Pace")).to_have_value("fast")
