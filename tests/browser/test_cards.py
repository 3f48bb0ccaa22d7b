"""Cards that show more than fields: a plan as Markdown, changes side by side."""

import asyncio

import pytest
from playwright.async_api import Route, expect

from tests.browser.chat import Chat, eventually
from tests.browser.permission_requests import Requests
from tests.browser.test_work import allowed

DIFF = {"path": "a.py", "oldText": "one\ntwo\n", "newText": "one\nthree\n"}


async def test_a_plan_is_markdown_and_can_be_read_as_it_was_written(chat: Chat) -> None:
    requests = await Requests.opened(chat)
    plan = "# Steps\n\n1. **Mend** it"
    html = "<h1>Steps</h1><ol><li><strong>Mend</strong> it</li></ol><script>x</script>"
    await requests.ask({"plan": plan}, toolKind="switch_mode", html=html)
    await expect(requests.cards.locator(".prose strong")).to_have_text("Mend")
    await expect(requests.cards.locator("script")).to_have_count(0)
    await requests.cards.get_by_text("As the agent wrote it").click()
    await expect(requests.cards.locator("details pre")).to_have_text(plan)


async def test_no_part_of_a_plan_is_folded_or_hidden(chat: Chat) -> None:
    requests = await Requests.opened(chat)
    code = "\n".join(f"line {number}" for number in range(60))
    html = (
        "<p>Mend\u202e it</p><details><summary>More</summary><p>rm -rf ~</p></details>"
        f"<pre><code>{code}</code></pre>"
    )
    await requests.ask({"plan": "Mend\u202e it"}, toolKind="switch_mode", html=html)
    prose = requests.cards.locator(".prose")
    await expect(prose.locator("p").first).to_have_text("Mend⟨U+202E⟩ it")
    await expect(prose.locator("details")).to_have_attribute("open", "")
    await expect(prose.locator("details p")).to_be_visible()
    await expect(prose.locator("pre")).not_to_have_class("folded")
    allow = requests.cards.get_by_role("button", name="Allow once")
    await expect(requests.armed).to_have_count(1)
    await expect(allow).to_have_attribute("aria-disabled", "true")


async def test_a_field_named_changes_is_left_out_only_where_it_is_drawn(chat: Chat) -> None:
    requests = await Requests.opened(chat)
    told = {"path": "a.py", "oldText": "one\ntwo\n", "newText": "one\nthree\n"}
    other = {"a.py": {"type": "update", "unified_diff": "-two\n+rm -rf ~"}}
    further = [told, {"path": "b.py", "newText": "a 51st file"}]
    await requests.ask({"changes": [told]}, {"changes": other}, {"changes": further}, diffs=[DIFF])
    fields = requests.cards.locator(".permission-field")
    for text in ("", "rm -rf ~", "a 51st file"):
        await expect(fields).to_have_count(1 if text else 0)
        if text:
            await expect(fields).to_contain_text(text)
        await requests.armed.get_by_role("button", name="Reject").click()
    await expect(requests.cards).to_have_count(0)


async def test_rows_beyond_the_drawn_ones_are_in_the_card_as_text(chat: Chat) -> None:
    requests = await Requests.opened(chat)
    lines = [f"line {number}\n" for number in range(2_400)]
    long = {"path": "a.py", "oldText": None, "newText": "".join([*lines, "rm -rf ~\u202e\n"])}
    await requests.ask({"path": "a.py"}, diffs=[long])
    await expect(requests.cards.locator(".diff-rest")).to_contain_text("+rm -rf ~⟨U+202E⟩")
    await expect(requests.cards).not_to_contain_text("are not shown")
    await expect(requests.armed).to_have_count(1)
    allow = requests.cards.get_by_role("button", name="Allow once")
    await expect(allow).to_have_attribute("aria-disabled", "true")
    action = requests.cards.locator(".permission-action")
    await action.evaluate("(box) => box.scrollTo(0, box.scrollHeight)")
    await expect(allow).to_have_attribute("aria-disabled", "false")


async def test_a_change_of_which_the_server_has_a_part_decides_no_later_one(chat: Chat) -> None:
    requests = await Requests.opened(chat)
    await requests.ask({"path": "a.py"}, diffs=[DIFF | {"cut": 500}])
    card = requests.cards
    await expect(card.locator(".diff .permission-warning")).to_have_text(
        "500 characters of this change are left out."
    )
    await expect(card).to_contain_text("The action is too large to be shown whole")
    await expect(card.get_by_role("button", name="Always allow …")).to_have_count(0)
    await expect(requests.armed).to_have_count(1)
    action = card.locator(".permission-action")
    await action.evaluate("(box) => box.scrollTo(0, box.scrollHeight)")
    await expect(card.get_by_role("button", name="Allow once")).to_have_attribute(
        "aria-disabled", "false"
    )
    always = card.get_by_role("button", name="Allow always")
    await expect(always).to_have_attribute("aria-disabled", "true")
    await always.dispatch_event("click")
    await card.get_by_role("button", name="Reject").click()
    await expect(requests.cards).to_have_count(0)
    assert [answer["optionId"] for answer in requests.answers] == ["reject"]


FAR = "x = 1" + " " * 600 + "# and " + "more" * 200 + " at the end"


@pytest.mark.parametrize("width", [390, 1440])
async def test_no_part_of_an_action_lies_beside_the_screen(chat: Chat, width: int) -> None:
    await chat.page.set_viewport_size({"width": width, "height": 900})
    requests = await Requests.opened(chat)
    change = {"path": "a/" * 150 + "a.py", "oldText": f"{FAR}\n", "newText": f"\t{FAR}\n{FAR}!\n"}
    action = {"plan": f"Run `{FAR}`\n\n```\n{FAR}\n```", "command": FAR, "x" * 300: FAR}
    html = f"<p>Run <code>{FAR}</code></p><pre><code>{FAR}</code></pre>"
    await requests.ask(action, diffs=[change], html=html)
    box = requests.cards.locator(".permission-action")
    await expect(box.locator(".diff-row.added").first).to_contain_text("at the end")
    # Less than a letter: spaces at the end of a line hang over it.
    beside = await box.evaluate(
        """box => [box, ...box.querySelectorAll(":not(.sr-only)")]
            .filter(one => one.scrollWidth > one.clientWidth + 6
                && getComputedStyle(one).overflowX !== "visible")
            .map(one => `${one.tagName}.${one.className}: ${one.scrollWidth}`)"""
    )
    assert beside == []
    before = await box.evaluate(
        """box => [...box.querySelectorAll(".diff-row .diff-sign")].filter(sign => {
            const text = document.createRange();
            text.selectNodeContents(sign);
            const row = sign.closest(".diff-row").getBoundingClientRect();
            return text.getBoundingClientRect().left < row.left;
        }).map(sign => sign.textContent)"""
    )
    assert before == [], "signs that stand outside of their rows"


async def test_text_below_a_wide_change_keeps_its_column(chat: Chat) -> None:
    page = chat.page
    await page.set_viewport_size({"width": 1600, "height": 900})
    await chat.open()
    await allowed(chat, "/edit a line")
    await page.locator("#open-changes").click()
    await page.get_by_role("button", name="Side by side").click()
    await page.get_by_label("Close the folder").click()
    await page.locator(".block.tool summary").click()

    async def left_of(selector: str) -> float:
        box = await page.locator(selector).bounding_box()
        assert box is not None
        return round(box["x"])

    async def stands_out() -> bool:
        return await left_of(".block.tool") < await left_of("#composer")

    await eventually(stands_out)
    assert await left_of(".answer .prose") == await left_of("#composer")


async def test_changes_of_a_card_have_the_colours_of_the_server_and_the_same_text(
    chat: Chat,
) -> None:
    requests = await Requests.opened(chat)
    before = 'def roof():\n    """A text\n    of two lines."""\n    return 1\n'
    after = before.replace("return 1", "return '\u202e2'")
    diff = {"path": "src/roof.py", "oldText": before, "newText": after}
    plain = diff | {"path": "src/roof.unknown"}
    await requests.ask({"path": "a.py"}, diffs=[diff, plain], toolKind="edit")
    coloured, uncoloured = (requests.cards.locator(".diff").nth(i) for i in (0, 1))
    removed = coloured.locator(".diff-row.removed")
    await expect(removed.locator(".code-keyword")).to_have_text("return")
    await expect(coloured.locator(".diff-row.added .code-string").first).to_contain_text("2")
    # The second line of a text that goes over several.
    await expect(coloured.locator(".diff-row").nth(2).locator(".code-string")).to_have_count(1)
    await expect(uncoloured.locator(".diff-rows [class^=code-]")).to_have_count(0)
    lines = [await part.locator(".diff-rows").inner_text() for part in (coloured, uncoloured)]
    assert lines[0] == lines[1]
    assert "⟨U+202E⟩2" in lines[0]


async def test_a_server_that_refuses_colours_leaves_the_changes_as_they_are(chat: Chat) -> None:
    asked: list[str] = []

    async def refuse(route: Route) -> None:
        asked.append(route.request.url)
        await route.fulfill(status=503, body="{}")

    await chat.page.route("**/api/colours", refuse)
    requests = await Requests.opened(chat)
    await requests.ask({"path": "a.py"}, diffs=[DIFF])
    await expect(requests.armed).to_have_count(1)
    await eventually(lambda: asyncio.sleep(0, asked))
    await expect(requests.cards.locator(".diff-row.added")).to_contain_text("three")


async def test_changes_of_a_card_stand_side_by_side_by_the_switch_of_changes(chat: Chat) -> None:
    await chat.page.set_viewport_size({"width": 1600, "height": 900})
    requests = await Requests.opened(chat)
    await requests.ask({"path": "a.py"}, diffs=[DIFF])
    removed, added = (requests.cards.locator(f".diff-row.{kind}") for kind in ("removed", "added"))

    async def are_level() -> bool:
        left, right = await removed.bounding_box(), await added.bounding_box()
        if left is None or right is None:
            return False
        return left["y"] == right["y"] and left["x"] + left["width"] <= right["x"] + 1

    assert not await are_level()
    await chat.page.locator("#open-changes").click()
    await chat.page.get_by_role("button", name="Side by side").click()
    await chat.page.get_by_label("Close the folder").click()
    await eventually(are_level)
    card = await requests.cards.bounding_box()
    assert card is not None
    assert card["width"] > 1000
    await chat.page.set_viewport_size({"width": 1200, "height": 900})

    async def are_one_below_another() -> bool:
        return not await are_level()

    await eventually(are_one_below_another)


async def test_a_phone_shows_lines_of_the_action_beside_all_its_answers(chat: Chat) -> None:
    await chat.page.set_viewport_size({"width": 390, "height": 844})
    requests = await Requests.opened(chat)
    long = DIFF | {"newText": "one\n" + "three\n" * 20}
    await requests.ask({"path": "/a/folder/of/some/length/a.py"}, diffs=[long], toolKind="edit")
    await expect(requests.armed).to_have_count(1)
    action = await requests.cards.locator(".permission-action").bounding_box()
    answers = await requests.cards.locator(".permission-options").bounding_box()
    assert action is not None
    assert answers is not None
    assert action["height"] >= 200
    assert answers["y"] + answers["height"] <= 844
    await expect(chat.page.locator("#prompt")).to_be_in_viewport()
    await expect(chat.page.locator(".composer-foot")).to_be_hidden()
