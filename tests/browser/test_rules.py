"""Rules on the page: made from a request with a pattern that is shown, tried, deleted."""

from playwright.async_api import Route, expect

from lab.rig.waiting import PATIENCE_S
from tests.browser.chat import Chat
from tests.browser.permission_requests import Requests

WAIT_MS = PATIENCE_S * 1000


async def rules_of(chat: Chat) -> list[dict]:
    told = await chat.page.evaluate(
        "fetch('/api/rules', {headers: {'X-Origin-Key':"
        " JSON.parse(localStorage['backstay.keys'])[0]}}).then((answer) => answer.json())"
    )
    return told["rules"]


async def test_a_rule_is_made_from_a_request_tried_and_deleted(chat: Chat) -> None:
    await chat.page.set_viewport_size({"width": 360, "height": 740})
    requests = await Requests.opened(chat)
    await requests.ask({"command": "git log --oneline"}, toolKind="execute")
    await requests.cards.get_by_role("button", name="Always allow …").click()
    pattern = requests.cards.get_by_label("Commands that begin with")
    await expect(pattern).to_have_value("git log", timeout=WAIT_MS)
    await expect(pattern).to_be_focused()
    await pattern.fill("git log; rm 1")
    await pattern.press("1")  # a digit that is written decides nothing
    save = requests.armed.get_by_role("button", name="Save the rule and allow")
    await save.click()
    await expect(requests.cards.get_by_role("alert")).to_contain_text("plain words")
    assert requests.answered() == []
    assert await chat.overflow_px() <= 0
    await pattern.fill("git log --oneline")
    await requests.cards.get_by_label("For").select_option("project")
    await save.click()
    await expect(requests.cards).to_have_count(0, timeout=WAIT_MS)
    assert [answer["optionId"] for answer in requests.answers] == ["allow"]
    [rule] = await rules_of(chat)
    assert (rule["scope"], rule["effect"], rule["kind"]) == ("project", "allow", "command")
    assert rule["pattern"] == "git log --oneline"

    page = chat.page
    await page.goto(chat.url + "/account/")
    await page.get_by_role("link", name="Show the rules").click()
    await expect(page.locator(".item")).to_contain_text("git log --oneline")
    assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    await page.get_by_role("textbox", name="Action").fill("git log; true")
    await page.get_by_role("button", name="Try").click()
    await expect(page.locator("#try-answer")).to_contain_text("You would be asked")
    await page.get_by_role("button", name="Delete the rule").click()
    await expect(page.get_by_text("There are none")).to_be_visible(timeout=WAIT_MS)


async def test_a_held_enter_saves_no_rule_and_allows_nothing(chat: Chat) -> None:
    requests = await Requests.opened(chat)
    await requests.ask({"command": "git log --oneline"}, toolKind="execute")
    await requests.armed.get_by_role("button", name="Always allow …").focus()
    await chat.page.keyboard.down("Enter")
    pattern = requests.cards.get_by_label("Commands that begin with")
    await expect(pattern).to_be_focused(timeout=WAIT_MS)
    for _ in range(5):
        await chat.page.keyboard.down("Enter")  # as a held key repeats
    alert = requests.cards.get_by_role("alert")
    await expect(alert).to_have_text("Look at the rule, then press again.")
    await chat.page.keyboard.up("Enter")
    assert requests.answered() == []
    assert await rules_of(chat) == []
    await expect(requests.armed).to_have_count(1)
    await pattern.press("Enter")
    await expect(requests.cards).to_have_count(0, timeout=WAIT_MS)
    assert requests.answered() == ["p1"]
    assert len(await rules_of(chat)) == 1


async def test_a_press_that_comes_too_early_denies_nothing(chat: Chat) -> None:
    requests = await Requests.opened(chat)
    await requests.ask({"command": "ls"}, toolKind="execute")
    await requests.cards.get_by_role("button", name="Deny and say why …").click()
    why = requests.cards.get_by_label("Your sentence to the agent")
    await why.fill("use another folder")
    await expect(requests.armed).to_have_count(1)
    # In one step of the page, so that no time passes between the press elsewhere and this one.
    await requests.cards.get_by_role("button", name="Deny", exact=True).evaluate(
        """(button) => {
          document.body.dispatchEvent(new PointerEvent("pointerdown", { bubbles: true }));
          button.dispatchEvent(new PointerEvent("pointerdown", { bubbles: true }));
          button.click();
        }"""
    )
    await requests.armed.get_by_role("button", name="Deny", exact=True).click()
    await expect(requests.cards).to_have_count(0)
    assert len(requests.answers) == 1
    assert requests.answers[0]["message"] == "use another folder"


async def test_what_no_rule_can_allow_says_so(chat: Chat) -> None:
    requests = await Requests.opened(chat)
    await requests.ask({"command": "git status; rm -rf ~"}, toolKind="execute")
    await requests.cards.get_by_role("button", name="Always allow …").click()
    await expect(requests.cards).to_contain_text("No rule can allow this", timeout=WAIT_MS)
    await expect(requests.cards.get_by_role("textbox")).to_have_count(0)
    assert requests.answered() == []


async def test_a_denial_carries_a_sentence(chat: Chat) -> None:
    requests = await Requests.opened(chat)
    await requests.ask({"command": "rm x"}, toolKind="execute")
    await requests.cards.get_by_role("button", name="Deny and say why …").click()
    await requests.cards.get_by_label("Your sentence to the agent").fill("Use 1 of the bins.")
    await requests.armed.get_by_role("button", name="Deny", exact=True).click()
    await expect(requests.cards).to_have_count(0, timeout=WAIT_MS)
    assert [(one["optionId"], one["message"]) for one in requests.answers] == [
        ("reject", "Use 1 of the bins.")
    ]


async def test_a_form_that_is_sent_before_its_modules_have_run_is_held(chat: Chat) -> None:
    requests = await Requests.opened(chat)
    await requests.ask({"command": "git log"}, toolKind="execute")
    await requests.cards.get_by_role("button", name="Always allow …").click()
    await requests.armed.get_by_role("button", name="Save the rule and allow").click()
    await expect(requests.cards).to_have_count(0, timeout=WAIT_MS)
    held: list[Route] = []

    async def hold(route: Route) -> None:
        held.append(route)

    page = chat.page
    await page.route("**/sessions/key-forms.js", hold)
    await page.goto(chat.url + "/account/rules/", wait_until="commit")
    await page.get_by_role("button", name="Delete the rule").click()
    await page.get_by_role("button", name="Delete the rule").click()
    assert len(await rules_of(chat)) == 1
    await page.unroute("**/sessions/key-forms.js")
    await held[0].continue_()
    await expect(page.get_by_text("There are none")).to_be_visible(timeout=WAIT_MS)
    assert await rules_of(chat) == []
