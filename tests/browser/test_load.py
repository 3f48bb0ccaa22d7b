"""The first load of the page is small, the next one asks for no file again."""

import pytest
from playwright.async_api import Route, expect

from lab.rig.processes import ROOT
from lab.rig.programs.traffic import Traffic
from tests.browser.chat import Chat, eventually

MAX_BYTES = 60_000
MAX_REQUESTS = 10
MAIN = ROOT / "sessions/static/sessions/main.js"


async def all_came(traffic: Traffic) -> bool:
    """Return whether every answer has ended."""
    return traffic.all_came()


def files(traffic: Traffic) -> list[str]:
    """Return the files that were asked for, but for the icon: a browser fetches it at will."""
    urls = traffic.addresses.values()
    return [url for url in urls if "/static/" in url and not url.endswith("/icon.svg")]


async def test_a_cold_load_is_small_and_a_warm_one_has_every_file(chat: Chat) -> None:
    for number in range(50):
        chat.server.data.call("create_session", name=chat.name, title=f"Chat {number}")
    devtools = await chat.page.context.new_cdp_session(chat.page)
    await devtools.send("Network.enable")
    cold = Traffic(devtools)
    await chat.open()
    await expect(chat.page.locator("#sessions .row")).to_have_count(50)
    await eventually(lambda: all_came(cold), what="the end of each answer")
    assert sum(cold.sizes.values()) <= MAX_BYTES, (sum(cold.sizes.values()), cold.sizes)
    assert len(cold.addresses) <= MAX_REQUESTS, cold.addresses
    await devtools.detach()

    devtools = await chat.page.context.new_cdp_session(chat.page)
    await devtools.send("Network.enable")
    warm = Traffic(devtools)
    await chat.open()
    assert files(warm) == []


async def test_a_part_of_the_page_that_did_not_load_is_asked_for_again(chat: Chat) -> None:
    asked: list[str] = []

    async def answer(route: Route) -> None:
        asked.append(route.request.url)
        await (route.abort() if len(asked) == 1 else route.continue_())

    await chat.page.route("**/main.later.js*", answer)
    await chat.open()
    await chat.send("Hello")
    await chat.answered(1)
    await expect(chat.answers).to_have_count(1)
    assert len(set(asked)) == len(asked) == 2
    await expect(chat.page.locator("#toasts")).to_be_empty()


async def test_a_control_whose_part_did_not_load_says_so_and_works_at_the_next_press(
    chat: Chat,
) -> None:
    async def refuse(route: Route) -> None:
        await route.abort()

    await chat.page.route("**/main.later.js*", refuse)
    await chat.open()
    note = chat.page.locator(".toast", has_text="The server cannot be reached: try again.")
    file = {"name": "a.txt", "mimeType": "text/plain", "buffer": b"text"}
    await chat.page.locator("#attach-input").set_input_files([file])
    await expect(note).to_have_count(1)
    await expect(chat.page.locator("#attached li")).to_have_count(0)
    await chat.prompt.fill("a draft")
    await chat.page.get_by_role("button", name="Log out").click()
    await expect(note).to_have_count(2)
    await chat.page.unroute("**/main.later.js*")
    await chat.page.locator("#attach-input").set_input_files([file])
    await expect(chat.page.locator("#attached li")).to_have_count(1)
    await chat.page.get_by_role("button", name="Log out").click()
    await expect(chat.page.locator("#leave-dialog")).to_contain_text("begun to write")


# Slow: other notes leave the screen by themselves after eight seconds, this one may not.
async def test_a_part_that_does_not_load_is_said_until_it_has(chat: Chat) -> None:
    errors: list[str] = []
    chat.page.on("pageerror", lambda error: errors.append(error.message))
    asked: list[str] = []

    async def refuse(route: Route) -> None:
        asked.append(route.request.url)
        await route.abort()

    async def was_asked_often() -> bool:
        return len(asked) >= 10  # once a second

    await chat.page.route("**/main.later.js*", refuse)
    await chat.open()
    await chat.send("Hello")
    note = chat.page.locator(".toast", has_text="A part of this page did not load.")
    await expect(note.get_by_role("button", name="Reload")).to_be_visible()
    await eventually(was_asked_often, what="many tries")
    await expect(note).to_have_count(1)
    await chat.page.unroute("**/main.later.js*")
    await chat.answered(1)
    await expect(note).to_have_count(0)
    assert errors == []


@pytest.mark.parametrize("name", ["composer/shared-draft.js", "work/comments.js"])
async def test_a_chat_works_without_a_module_behind_it(chat: Chat, name: str) -> None:
    """The page's own modules, as in development: the bundle has them in one file."""
    modules = MAIN.read_text(encoding="utf-8")
    asked: list[str] = []

    async def refuse(route: Route) -> None:
        asked.append(route.request.url)
        await route.abort()

    await chat.page.route(
        "**/sessions/main.js",
        lambda route: route.fulfill(content_type="text/javascript", body=modules),
    )
    await chat.page.route(f"**/{name}", refuse)
    await chat.open()
    await chat.ask("/slow 1")
    await chat.ask("/slow 2")
    assert asked
