"""The form of a question: a control for each type, and the reasons of the server at the fields."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Locator, Page, expect

from sessions.agents.acp.translation.forms import form_of
from tests.browser.chat import Chat, eventually
from tests.browser.conftest import PATIENCE_MS
from tests.browser.permission_requests import Requests
from tests.support.server import Server

RED = {"const": "r", "title": "Red"}
BLUE = {"const": "b", "title": "Blue", "description": "Like the sky"}


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    """The browser of a person in Nepal: its zone is ahead by 5:45 h."""
    fresh = await browser.new_context(timezone_id="Asia/Kathmandu")
    fresh.set_default_timeout(PATIENCE_MS)
    yield fresh
    await fresh.close()


class Form:
    """The form of the question that one session asks; the server holds its answer."""

    def __init__(self, requests: Requests) -> None:
        self.requests = requests
        page = requests.chat.page
        self.form: Locator = page.locator("form.question")
        self._armed: Locator = page.locator('form.question[data-armed="true"]')

    @classmethod
    async def opened(
        cls, chat: Chat, fields: dict[str, Any], *, required: tuple[str, ...] = ()
    ) -> Form:
        """Ask a question of these fields, as an agent does."""
        form = cls(await Requests.opened(chat))
        schema = form_of({"type": "object", "properties": fields, "required": list(required)})
        asked = {"questionId": "q", "title": "Which?", "schema": schema, "expiresAt": None}
        await form.requests.append([("question_asked", asked)])
        await expect(form.form).to_have_count(1)
        return form

    def field(self, name: str) -> Locator:
        """Return the part of the form with the label, the control and the reason of a field."""
        return self.form.locator(f'[data-name="{name}"]')

    def control(self, name: str) -> Locator:
        """Return the control of a field that has one."""
        return self.field(name).locator("input, select, textarea")

    def problem(self, name: str) -> Locator:
        """Return the reason against the value of a field."""
        return self.field(name).locator(".question-problem")

    async def answer(self) -> None:
        """Press the button once it is armed."""
        await self._armed.get_by_role("button", name="Answer").click()

    async def answered(self) -> dict[str, Any]:
        """Send the form; return the values that the log then has."""
        await self.answer()
        await expect(self.form).to_have_count(0)
        values: dict[str, Any] = await eventually(self._values, what="the answer in the log")
        return values

    async def _values(self) -> Any:
        call = self.requests.chat.server.data.call
        events = await asyncio.to_thread(call, "events", session=self.requests.session)
        given = [e for e in events if e["type"] == "question_answered"]
        return given[0]["values"] if given else None


EVERY_TYPE = {
    "text": {"type": "string"},
    "mail": {"type": "string", "format": "email"},
    "link": {"type": "string", "format": "uri"},
    "day": {"type": "string", "format": "date"},
    "moment": {"type": "string", "format": "date-time"},
    "count": {"type": "integer", "minimum": 1.5, "maximum": 9},
    "share": {"type": "number", "minimum": 0, "maximum": 1},
    "sure": {"type": "boolean"},
    "titled": {"type": "string", "oneOf": [RED, BLUE, {"const": "", "title": "None"}]},
    "plain": {"type": "string", "enum": ["x", "y"]},
    "many": {"type": "array", "items": {"anyOf": [RED, BLUE]}, "maxItems": 2},
    "list": {"type": "array", "items": {"type": "string"}},
}


async def test_every_type_has_its_control_and_its_value_reaches_the_log(chat: Chat) -> None:
    form = await Form.opened(chat, EVERY_TYPE, required=("text", "moment"))
    kinds = {
        name: await form.control(name).first.evaluate("(control) => control.type")
        for name in EVERY_TYPE
    }
    assert kinds == {
        "text": "text",
        "mail": "email",
        "link": "url",
        "day": "date",
        "moment": "datetime-local",
        "count": "number",
        "share": "number",
        "sure": "checkbox",
        "titled": "select-one",
        "plain": "select-one",
        "many": "checkbox",
        "list": "textarea",
    }
    fill = {"text": "words", "mail": "a@b.example", "link": "https://example.org/ä b", "count": "2"}
    fill |= {"day": "2026-12-31", "moment": "2026-12-31T23:59", "share": "0.25", "list": "a\n\nb c"}
    for name, words in fill.items():
        await form.control(name).fill(words)
    await form.field("sure").get_by_label("sure").check()
    await form.control("titled").select_option(label="None")
    await form.control("plain").select_option("y")
    await form.field("many").get_by_label("Blue: Like the sky").check()
    assert await form.answered() == {
        "text": "words",
        "mail": "a@b.example",
        "link": "https://example.org/%C3%A4%20b",
        "day": "2026-12-31",
        "moment": "2026-12-31T23:59:00+05:45",
        "count": 2,
        "share": 0.25,
        "sure": True,
        "titled": "",
        "plain": "y",
        "many": ["b"],
        "list": ["a", "b c"],
    }


async def test_the_defaults_of_every_type_are_filled_in_and_given_back(chat: Chat) -> None:
    defaults: dict[str, Any] = {
        "text": "two\nlines",
        "mail": "a@b.example",
        "link": "https://example.org/",
        "day": "2026-12-31",
        "moment": "2026-12-31T23:59:07.125-03:30",
        "count": 3,
        "share": 0.5,
        "sure": True,
        "titled": "b",
        "plain": "x",
        "many": ["r", "b"],
        "list": ["one", "two"],
    }
    fields = {name: told | {"default": defaults[name]} for name, told in EVERY_TYPE.items()}
    form = await Form.opened(chat, fields)
    await expect(form.control("text")).to_have_value("two\nlines")
    # The moment is shown in the zone of the browser, and given back in its own.
    await expect(form.control("moment")).to_have_value("2027-01-01T09:14:07")
    assert await form.answered() == defaults


async def test_fields_that_stay_empty_are_left_out(chat: Chat) -> None:
    fields = {**EVERY_TYPE, "some": {**EVERY_TYPE["many"], "minItems": 1}}
    form = await Form.opened(chat, fields)
    assert await form.answered() == {"sure": False, "many": [], "list": []}


async def test_reasons_of_the_server_stand_at_the_fields_until_the_values_fit(chat: Chat) -> None:
    fields = {
        "code": {"type": "string", "title": "Code", "pattern": "^[a-z]+$", "description": "Short"},
        "name": {"type": "string", "minLength": 2, "maxLength": 3},
        "below": {"type": "number", "exclusiveMaximum": 1},
        "many": {"type": "array", "items": {"anyOf": [RED, BLUE]}, "minItems": 1, "maxItems": 1},
    }
    form = await Form.opened(chat, fields, required=("code", "many"))
    await expect(form.field("code")).to_contain_text("Pattern ^[a-z]+$")
    await expect(form.field("name")).to_contain_text("2 to 3 characters")
    await expect(form.field("many")).to_contain_text("Choose exactly 1")
    await form.control("code").fill("A1")
    await form.control("name").fill("x😀yz")
    await form.control("below").fill("1")
    await form.answer()
    await expect(form.problem("code")).to_have_text("It does not match '^[a-z]+$'.")
    await expect(form.problem("name")).to_have_text("It must have at most 3 characters.")
    await expect(form.problem("below")).to_have_text("It must be less than 1.")
    await expect(form.problem("many")).to_have_text("Choose at least 1.")
    # The first of them has the focus, and a screen reader says its hints and its reason.
    code = form.form.get_by_role("textbox", name="Code *", exact=True)
    await expect(code).to_be_focused()
    await expect(code).to_have_accessible_description(
        "Short Pattern ^[a-z]+$ It does not match '^[a-z]+$'."
    )
    await expect(code).to_have_attribute("aria-invalid", "true")
    await code.fill("abc")
    await form.control("name").fill("😀😀😀")  # three characters, six halves of them
    await form.control("below").fill("0.5")
    await form.field("many").get_by_label("Red").check()
    assert await form.answered() == {"code": "abc", "name": "😀😀😀", "below": 0.5, "many": ["r"]}


@pytest.mark.parametrize(
    ("told", "text"),
    [
        ({"type": "string", "format": "email"}, "no address"),
        ({"type": "string", "format": "uri"}, "no link"),
        ({"type": "integer"}, "1.5"),
        ({"type": "number", "maximum": 1}, "2"),
        ({"type": "string"}, ""),
    ],
)
async def test_the_browser_names_a_value_that_cannot_fit(
    chat: Chat, told: dict[str, Any], text: str
) -> None:
    form = await Form.opened(chat, {"x": told}, required=("x",))
    await form.control("x").fill(text)
    await form.answer()
    await expect(form.control("x")).to_be_focused()
    assert not await form.control("x").evaluate("(control) => control.validity.valid")
    await expect(form.form).to_have_count(1)


async def test_a_pattern_that_backtracks_stops_neither_the_page_nor_the_server(chat: Chat) -> None:
    form = await Form.opened(chat, {"x": {"type": "string", "pattern": "^(a+)+$"}})
    await form.control("x").fill("a" * 5_000 + "!")
    await form.answer()
    await expect(form.problem("x")).to_have_text("It does not match '^(a+)+$'.")
    await form.control("x").fill("aaa")
    assert await form.answered() == {"x": "aaa"}


async def test_a_huge_form_is_drawn_and_answered(chat: Chat) -> None:
    long = "\u202e" + "x" * 5_000
    choices = [{"const": str(number), "title": long, "description": long} for number in range(900)]
    field = {"type": "array", "title": long, "description": long, "items": {"anyOf": choices}}
    nested = {"type": "object", "properties": {"deeper": {"type": "object"}}}
    fields = {f"f{number}": nested if number % 10 else field for number in range(100)}
    form = await Form.opened(chat, fields)
    await form.form.get_by_role("button", name="Show all (").click()
    await expect(form.form.locator(".question-field")).to_have_count(50)
    await expect(form.field("f0").locator("input")).to_have_count(200)
    await expect(form.field("f0").locator("legend")).to_contain_text("⟨U+202E⟩xxx")
    await form.field("f0").locator("input").first.check()
    await form.control("f1").fill("a text")
    values = await form.answered()
    assert (values["f0"], values["f1"], values["f10"]) == (["0"], "a text", [])


async def test_a_form_outlives_the_web_process_and_a_reload(
    page: Page, make_server: Callable[..., Server]
) -> None:
    server = make_server(options=["--no-agents"])
    chat = await Chat.of(page, server, "alice")
    with server.beside("run_agents"):
        await chat.open()
        await chat.send("/ask")
        form = page.locator("form.question")
        await form.get_by_label("A note").fill("half written")
        await asyncio.to_thread(server.kill)
        await expect(chat.line).not_to_have_attribute("data-kind", "live")
        await asyncio.to_thread(server.start)
        await chat.live()
        # The page that was open has the words that were begun, too.
        await expect(form.get_by_label("A note")).to_have_value("half written")
        await page.reload()
        await chat.live()
        await form.get_by_label("Colour").select_option("blue")
        await form.get_by_label("A day").fill("2026-12-31")
        await form.get_by_label("A moment").fill("2026-12-31T23:59")
        await page.locator('form.question[data-armed="true"]').get_by_text("Answer").click()
        await expect(form).to_have_count(0)
        await expect(chat.answers.last).to_contain_text("moment: 2026-12-31T23:59:00+05:45")
