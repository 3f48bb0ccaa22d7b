"""Tool calls: folded when they are done, apart when they failed, with their times and icons."""

from typing import Any

from playwright.async_api import expect

from tests.browser.answers import Answer, Drafts
from tests.browser.chat import Chat

_SPAN = """(item) => {
  const boxes = [...item.children].map((part) => part.getBoundingClientRect())
    .filter((box) => box.height > 1);
  return Math.max(...boxes.map((box) => box.bottom)) - Math.min(...boxes.map((box) => box.top));
}"""


def call(number: int, status: str | None = "completed", **more: Any) -> Drafts:
    """Return a tool call; status None: one that goes on."""
    ids = {"messageId": "m1", "blockId": f"t{number}"}
    tool = {"toolId": f"tool{number}", "toolName": f"Tool {number}"}
    kind = {"toolKind": more.pop("kind", "read")}
    drafts: Drafts = [
        ("block_start", {**ids, "blockType": "tool_use", **tool, **kind}),
        ("block_end", {**ids, "content": f"Call {number}", "input": {"path": f"file{number}.py"}}),
    ]
    if status is None:
        return drafts
    done = {"messageId": "m1", "toolId": f"tool{number}", "status": status, "content": "output"}
    return [*drafts, ("tool_result", {**done, **more})]


async def _calls(answer: Answer, statuses: list[str | None]) -> None:
    for number, status in enumerate(statuses):
        await answer.append(call(number, status, **({"tookMs": 400} if status else {})))


async def test_300_calls_take_little_room_and_open(chat: Chat) -> None:
    answer = await Answer.begun(chat, opened=False)
    drafts: Drafts = []
    for number in range(300):
        status = "failed" if number % 10 == 9 else "completed"
        kind = "execute" if number % 3 == 0 else "read"
        drafts += call(number, status, tookMs=1_000, kind=kind)
    await answer.append(drafts)
    await answer.end()
    await chat.open(f"/s/{answer.session}")
    row = chat.page.locator(".steps")
    await expect(row).to_have_count(1)
    await expect(row.locator("> summary .block-label")).to_have_text("300 steps")
    await expect(row.locator("> summary .block-hint")).to_have_text("180 reads, 90 commands")
    await expect(row.locator("> summary .block-status")).to_have_text("30 failed · 5 min")
    await expect(chat.page.locator(".answer > .tool")).to_have_count(30)  # those that failed
    assert await chat.answers.first.evaluate(_SPAN) <= 1_500
    await row.locator("> summary").click()
    await expect(row.locator(".tool")).to_have_count(270)
    await expect(row.locator(".tool").first).to_be_visible()
    await row.locator(".tool summary").first.click()
    await expect(row.locator(".tool pre").first).to_have_text("file0.py")


async def test_a_run_folds_while_the_answer_goes_on(chat: Chat) -> None:
    answer = await Answer.begun(chat)
    await _calls(answer, ["completed", "completed", None])
    await expect(chat.page.locator(".answer > .tool")).to_have_count(3)
    going = chat.page.locator(".tool").last
    await expect(going.locator(".block-status")).to_have_text("Running")
    first = chat.page.locator(".tool summary").first
    await first.focus()
    done = {"messageId": "m1", "toolId": "tool2", "status": "completed", "content": "output"}
    await answer.append([("tool_result", {**done, "tookMs": 1_200})])
    await expect(chat.page.locator(".steps > summary .block-label")).to_have_text("3 steps")
    # The block that a person is at stays in sight and keeps the focus.
    await expect(first).to_be_focused()
    await expect(first).to_be_visible()
    await answer.append(call(3))
    await expect(chat.page.locator(".steps > summary .block-label")).to_have_text("4 steps")
    await answer.end()


async def test_an_output_has_its_colours_and_lines_that_are_written_over(chat: Chat) -> None:
    answer = await Answer.begun(chat)
    await answer.append(call(0, None, kind="execute"))
    await chat.page.locator(".tool summary").click()
    output = chat.page.locator(".tool .output")

    async def put_out(delta: str) -> None:
        told = {"messageId": "m1", "toolId": "tool0", "delta": delta}
        await answer.append([("tool_output", told)])

    await put_out("\x1b[32mPASS\x1b[0m one\n10 %\r")
    await expect(output).to_have_text("PASS one\n10 %")
    passed = output.locator(".term-green")
    await expect(passed).to_have_text("PASS")
    first = await passed.evaluate_handle("(span) => span")
    await put_out("100 %\x1b[3")
    await put_out("1m!\x1b]0;title\x07\x1b[2J\u202e")
    await expect(output).to_have_text("PASS one\n100 %!⟨U+202E⟩")
    await expect(output.locator(".term-red")).to_have_text("!⟨U+202E⟩")
    await expect(chat.page.locator(".tool .block-hint")).to_have_text("100 %!⟨U+202E⟩")
    assert await first.evaluate("(span) => span.isConnected")  # a line that has ended stays
    whole = {"messageId": "m1", "toolId": "tool0", "status": "completed"}
    await answer.append([("tool_result", {**whole, "content": "\x1b[1;34mall\x1b[m\n"})])
    await expect(output.locator(".term-bold.term-blue")).to_have_text("all")
    await expect(output).to_have_text("all")
    await answer.end()


async def test_a_wide_output_is_wrapped_or_scrolled_by_choice(chat: Chat) -> None:
    answer = await Answer.begun(chat)
    for number in range(2):
        await answer.append(call(number, "completed", content="word " * 400, kind="execute"))
    await answer.end()
    outputs = chat.page.locator(".tool .output")
    switches = chat.page.get_by_role("button", name="Wrap lines")

    async def opened() -> None:
        summaries = chat.page.locator(".tool summary")
        await expect(summaries).to_have_count(2)
        for summary in await summaries.all():
            await summary.click()
        await expect(switches).to_have_count(2)

    async def are_wide() -> list[bool]:
        widths = "(outputs) => outputs.map((one) => one.scrollWidth > one.clientWidth)"
        return list(await outputs.evaluate_all(widths))

    await opened()
    assert await are_wide() == [False, False]
    await switches.first.click()
    for switch in await switches.all():
        await expect(switch).to_have_attribute("aria-pressed", "false")
    assert await are_wide() == [True, True]
    assert await chat.overflow_px() == 0
    await chat.page.reload()
    await opened()
    await expect(switches.last).to_have_attribute("aria-pressed", "false")
    assert await are_wide() == [True, True]
    await switches.last.click()
    await expect(switches.first).to_have_attribute("aria-pressed", "true")
    assert await are_wide() == [False, False]


async def test_a_call_tells_its_end_its_time_and_its_kind(chat: Chat) -> None:
    answer = await Answer.begun(chat)
    await answer.append(call(0, "completed", tookMs=48_000, kind="execute"))
    await answer.append(call(1, "failed", tookMs=300, kind="edit"))
    await answer.append(call(2, "rejected", tookMs=600_000, kind="fetch"))
    await answer.append(call(3, "cancelled"))
    await answer.append(call(4, None))
    await answer.append(
        [("tool_output", {"messageId": "m1", "toolId": "tool4", "delta": "one\ntwo\nthree"})]
    )
    statuses = chat.page.locator(".tool .block-status")
    await expect(statuses).to_have_text(
        ["Done · 48 s", "Failed · 0.3 s", "Denied", "Stopped", "Running"]
    )
    await expect(chat.page.locator(".tool .block-hint").last).to_have_text("three")
    paths = await chat.page.locator(".tool summary > .icon:first-child path").evaluate_all(
        "(paths) => paths.map((path) => path.getAttribute('d'))"
    )
    assert len(set(paths)) == 4  # the last two are of one kind
    failed = statuses.nth(1)
    colour = await failed.evaluate("(e) => getComputedStyle(e).color")
    await expect(statuses.nth(2)).not_to_have_css("color", colour)  # a decision is no failure
    await answer.end()
    await expect(statuses.last).to_have_text("Stopped")  # of a turn that has ended


async def test_a_rejected_command_says_denied(chat: Chat) -> None:
    await chat.open()
    await chat.send("/run true")
    await chat.page.get_by_role("button", name="Reject").click(delay=1_000)
    await expect(chat.deliveries).to_have_text("Answered")
    await expect(chat.page.locator(".tool .block-status")).to_have_text("Denied")
    result = next(event for event in chat.log() if event["type"] == "tool_result")
    assert result["status"] == "rejected"
