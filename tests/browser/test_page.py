"""The page itself: by keyboard, on any width, in both themes, with no dead control."""

import re
from typing import Literal

import pytest
from playwright.async_api import Browser, expect

from tests.browser.chat import Chat, log_in, words
from tests.support.server import Server


async def test_a_permission_is_answered_by_keyboard(chat: Chat) -> None:
    await chat.open()
    await chat.send("/run echo hello-from-the-tool")
    card = chat.page.locator(".permission")
    await expect(card).to_contain_text("echo hello-from-the-tool")
    await expect(chat.page.locator("#alerter")).to_contain_text("Needs your decision")
    await expect(chat.page.locator(".tool .block-status")).to_have_text("Waits for you")
    await chat.page.keyboard.press("Alt+p")
    await expect(card).to_be_focused()
    await expect(card).to_have_attribute("data-armed", "true")
    await chat.page.keyboard.press("1")
    await expect(card).to_have_count(0)
    await expect(chat.deliveries).to_have_text("Answered")
    await expect(chat.prompt).to_be_focused()
    tool = chat.page.locator("details.tool")
    await expect(tool.locator(".block-status")).to_contain_text("Done")
    await tool.locator("summary").press("Enter")
    await expect(tool.locator("pre").last).to_contain_text("hello-from-the-tool")


async def test_a_rejected_tool_does_not_run(chat: Chat) -> None:
    await chat.open()
    await chat.send("/run touch was-run")
    await chat.page.locator(".permission").get_by_role("button", name="Reject").click()
    await expect(chat.last_answer()).to_contain_text("rejected")
    await expect(chat.page.locator(".tool .block-status")).to_have_text("Denied")


async def test_a_decision_made_in_another_tab_closes_the_card_here(chat: Chat) -> None:
    await chat.open()
    await chat.send("/run true")
    await expect(chat.page.locator(".permission")).to_be_visible()
    other = Chat(await chat.page.context.new_page(), chat.server, chat.name)
    await other.open(f"/s/{await chat.in_session()}")
    await other.page.get_by_role("button", name="Allow once").click()
    await expect(chat.page.locator(".permission")).to_have_count(0)
    await expect(chat.deliveries).to_have_text("Answered")


async def test_keys_reach_everything(chat: Chat) -> None:
    await chat.open()
    await chat.ask("/slow 1")
    first = chat.session
    await chat.page.keyboard.press("Alt+n")
    await expect(chat.page.locator("#new-chat-title")).to_be_visible()
    await expect(chat.prompt).to_be_focused()
    await chat.page.keyboard.press("Control+k")
    await expect(chat.page.locator("#search")).to_be_focused()
    await chat.page.keyboard.type("slow")
    await expect(chat.page.locator(".row")).to_have_count(1)
    await chat.page.keyboard.press("ArrowDown")
    await chat.page.keyboard.press("Enter")
    await expect(chat.page).to_have_url(re.compile(first))
    await chat.prompt.blur()
    await chat.page.keyboard.press("?")
    await expect(chat.page.locator("#shortcuts-dialog")).to_be_visible()
    await chat.page.keyboard.press("Escape")
    await expect(chat.page.locator("#shortcuts-dialog")).to_be_hidden()
    await chat.page.keyboard.press("/")
    await expect(chat.prompt).to_be_focused()


async def test_a_mac_has_its_own_keys_in_the_list_of_shortcuts(chat: Chat) -> None:
    keys = chat.page.locator("#shortcuts-dialog kbd")
    await chat.open()
    await chat.prompt.blur()
    await chat.page.keyboard.press("?")
    await expect(keys.filter(has_text="Alt").first).to_be_visible()
    platform = "Object.defineProperty(Navigator.prototype, 'platform', { value: 'MacIntel' });"
    await chat.page.add_init_script(platform)
    await chat.page.reload()
    await chat.live()
    await chat.page.get_by_role("button", name="Keyboard shortcuts").click()
    await expect(keys.filter(has_text="⌥").first).to_be_visible()
    await expect(keys.filter(has_text="⌘").first).to_be_visible()
    assert not {"Alt", "Ctrl"} & set(await keys.all_inner_texts())


async def test_every_control_has_a_name_and_a_visible_focus(chat: Chat) -> None:
    await chat.open()
    await chat.ask("/slow 1")
    nameless = await chat.page.evaluate(
        """() => [...document.querySelectorAll("button, a[href], input, select, textarea")]
          .filter((element) => element.checkVisibility())
          .filter((element) => !(element.getAttribute("aria-label") || element.labels?.length
            || element.textContent.trim()))
          .map((element) => element.outerHTML)"""
    )
    assert nameless == []
    await chat.page.locator(".skip-link").focus()
    for _ in range(12):
        await chat.page.keyboard.press("Tab")
        outline = await chat.page.evaluate(
            """() => {
              const shown = document.activeElement.closest(".composer") ?? document.activeElement;
              const style = getComputedStyle(shown);
              return style.outlineStyle !== "none" || style.boxShadow !== "none";
            }"""
        )
        assert outline, await chat.page.evaluate("document.activeElement.outerHTML")


async def test_enter_sends_and_shift_enter_makes_a_line(chat: Chat) -> None:
    await chat.open()
    await chat.prompt.press_sequentially("first")
    await chat.prompt.press("Shift+Enter")
    await chat.prompt.press_sequentially("second")
    await chat.page.reload()
    await expect(chat.prompt).to_have_value("first\nsecond")  # what is written survives a reload
    await chat.prompt.press("Enter")
    await expect(chat.page.locator(".prompt-text")).to_have_text("first\nsecond")
    await expect(chat.prompt).to_have_value("")


async def test_whoever_reads_above_is_not_pulled_down(chat: Chat) -> None:
    await chat.open()
    await chat.page.set_viewport_size({"width": 900, "height": 500})
    await chat.ask("Hello")
    await chat.send("/slow 60")
    await expect(chat.last_answer()).to_contain_text("word2")
    scroll = chat.page.locator("#scroll")
    await scroll.evaluate("(element) => { element.scrollTop = 40; }")
    await expect(chat.page.locator("#jump")).to_be_visible()
    await expect(chat.last_answer()).to_contain_text("word20")
    assert await scroll.evaluate("(element) => element.scrollTop") == 40
    await chat.page.locator("#jump").click()
    await expect(chat.page.locator("#jump")).to_be_hidden()
    await chat.answered(2)
    below = "(e) => e.scrollHeight - e.scrollTop - e.clientHeight"
    assert await scroll.evaluate(below) < 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [380, 1400])
async def test_nothing_is_wider_than_the_window(
    browser: Browser, chat_server: Server, width: int, scheme: Literal["light", "dark"]
) -> None:
    name = f"wide-{width}-{scheme}"
    context = await browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme
    )
    await log_in(context, chat_server, name)
    chat = Chat(await context.new_page(), chat_server, name)
    await chat.page.goto(chat_server.url + "/")
    await chat.live()
    assert await chat.overflow_px() <= 0
    await chat.ask("Hello")
    await chat.send(f"/run echo {'unbroken' * 60}")
    await expect(chat.page.locator(".permission")).to_be_visible()
    await chat.page.locator("details.tool summary").click()
    assert await chat.overflow_px() <= 0
    await chat.page.keyboard.press("Alt+p")
    await expect(chat.page.locator(".permission")).to_have_attribute("data-armed", "true")
    await chat.page.keyboard.press("3")
    if width == 380:
        await chat.page.get_by_role("button", name="Open the list of chats").click()
        await expect(chat.page.locator(".row")).to_be_in_viewport()
        await chat.page.keyboard.press("Escape")
        await expect(chat.page.locator("#sidebar")).not_to_be_in_viewport()
    assert await chat.overflow_px() <= 0
    await context.close()


# Pairs of text and ground that the style sheets put together.
PAIRS = [
    ("ink", "surface"),
    ("ink", "bg"),
    ("ink", "prompt"),
    ("ink", "code"),
    ("ink", "bad-soft"),
    ("ink-2", "surface"),
    ("ink-2", "bg"),
    ("ink-2", "raised"),
    ("ink-2", "code"),
    ("accent", "bg"),
    ("accent", "surface"),
    ("accent", "bad-soft"),
    ("on-accent", "accent"),
    ("ok", "surface"),
    ("warn", "surface"),
    ("warn", "warn-soft"),
    ("bad", "surface"),
    ("bad", "bad-soft"),
    ("bad", "raised"),
]


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_text_stands_out_from_its_ground(chat: Chat, theme: str) -> None:
    await chat.open()
    await chat.page.evaluate(f"backstayTheme.set('{theme}')")
    low = await chat.page.evaluate(
        """(pairs) => {
          const probe = document.body.appendChild(document.createElement("i"));
          const luminance = (name) => {
            probe.style.color = `var(--${name})`;
            const parts = getComputedStyle(probe).color.match(/[\\d.]+/g);
            const [red, green, blue] = parts.map((part) => {
              const value = part / 255;
              return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
            });
            return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
          };
          return pairs.map(([text, ground]) => {
            const [a, b] = [luminance(text), luminance(ground)].sort((x, y) => y - x);
            return [text, ground, (a + 0.05) / (b + 0.05)];
          }).filter(([, , ratio]) => !(ratio >= 4.5));
        }""",
        PAIRS,
    )
    assert low == []


async def test_a_chosen_theme_is_kept_and_shown_before_the_page(chat: Chat) -> None:
    await chat.page.emulate_media(color_scheme="light")
    await chat.open()
    toggle = chat.page.locator("#sidebar [data-theme-toggle]")
    await expect(toggle).to_have_attribute("data-now", "system")
    await toggle.click()
    await toggle.click()
    await expect(toggle).to_have_attribute("data-now", "dark")
    await chat.page.reload()
    ground = "getComputedStyle(document.body).backgroundColor"
    assert await chat.page.evaluate(ground) == "rgb(15, 21, 27)"


async def test_rename_export_and_archive(chat: Chat) -> None:
    await chat.open()
    await chat.ask("/slow 2")
    await chat.page.get_by_role("button", name="Actions for this chat").click()
    await chat.page.get_by_role("button", name="Rename").click()
    await chat.page.get_by_label("Title").fill("A better name")
    await chat.page.keyboard.press("Enter")
    await expect(chat.page.locator("#title")).to_have_text("A better name")
    await expect(chat.page.locator(".row-title")).to_have_text("A better name")
    await chat.page.get_by_role("button", name="Actions for A better name").click()
    async with chat.page.expect_download() as waiting:
        await chat.page.get_by_role("button", name="Export as Markdown").click()
    exported = await (await waiting.value).path()
    assert words(2) in exported.read_text(encoding="utf-8")
    await chat.page.get_by_role("button", name="Actions for A better name").click()
    await chat.page.get_by_role("button", name="Archive", exact=True).click()
    await chat.page.locator("#archive-form").get_by_role("button", name="Archive").click()
    await expect(chat.page.locator(".row")).to_have_count(0)
    await expect(chat.page.locator("#new-chat-title")).to_be_visible()


async def test_another_persons_chat_is_not_there(chat: Chat) -> None:
    foreign = chat.server.data.call("create_session", name="somebody-else")
    answer = await chat.page.goto(f"{chat.server.url}/s/{foreign}")
    assert answer is not None
    assert answer.status == 404


async def test_the_page_runs_under_its_strict_policy(chat: Chat) -> None:
    refused: list[str] = []
    chat.page.on("console", lambda message: refused.append(message.text))
    await chat.open()
    await chat.ask("Hello")
    assert [text for text in refused if "Content Security Policy" in text] == []


@pytest.mark.parametrize("size", [(844, 390), (320, 256)])
async def test_the_end_of_a_menu_is_reached_in_a_low_window(
    chat: Chat, size: tuple[int, int]
) -> None:
    session = chat.server.data.call("create_session", name=chat.name)
    await chat.page.set_viewport_size({"width": size[0], "height": size[1]})
    await chat.open(f"/s/{session}")
    await chat.page.locator("#open-menu").click()
    await chat.page.locator(".menu-item", has_text="Archive").click()
    await expect(chat.page.locator("#archive-dialog, .toast").first).to_be_visible()
