"""Questions in a terminal: the line of each type, and the values that words become."""

import time
from functools import partial
from typing import Any

import pytest

from sessions.agents.acp.translation.forms import form_of
from sessions.control.forms import checked
from sessions.core.errors import InvalidRequest
from tests.client.sitting import sitting
from tests.client.waiting import until
from transport.terminal.showing.screen import Screen

RED = {"const": "r", "title": "Red"}


@pytest.fixture
def in_nepal(monkeypatch: pytest.MonkeyPatch):
    """Set the zone of this machine, which is ahead by 5:45 h."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Kathmandu")
        time.tzset()
        yield
    time.tzset()


class Asked:
    """One question on a screen."""

    def __init__(self, fields: dict[str, Any], *, required: tuple[str, ...] = ()) -> None:
        self.lines: list[str] = []
        self.schema = form_of({"properties": fields, "required": list(required)})
        self._screen = Screen(self.lines.append)
        self._screen.open("s")
        asked = {"questionId": "q", "title": "Which?", "schema": self.schema}
        self._screen.show({"type": "question_asked", "sessionId": "s", **asked})

    def line(self, name: str) -> str:
        """Return the line of a field."""
        lines = "".join(self.lines).splitlines()
        [line] = [each for each in lines if each.startswith((f"  {name} (", f"  {name}* ("))]
        return line

    def values(self, words: str) -> Any:
        """Return the values that the server takes from words."""
        return checked(self.schema, self.reply(words))

    def reply(self, words: str) -> Any:
        """Return the values that the terminal makes of words."""
        reply = self._screen.questions.reply(1, words)
        assert reply["action"] == "accept"
        return reply["values"]


@pytest.mark.parametrize(
    ("told", "line"),
    [
        ({"type": "string", "format": "email"}, "x (email): x"),
        ({"type": "string", "format": "date"}, "x (date as 2026-12-31): x"),
        ({"type": "string", "format": "date-time"}, "x (date-time as 2026-12-31T23:59): x"),
        (
            {"type": "string", "minLength": 1, "maxLength": 3, "pattern": "^a\n"},
            "x (string, minLength 1, maxLength 3, pattern ^a⟨U+000A⟩): x",
        ),
        (
            {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
            "x (number, maximum 1, exclusiveMinimum 0): x",
        ),
        ({"type": "array", "minItems": 1, "default": ["a", "b"]}, "x (several, minItems 1, else"),
        ({"type": "boolean", "default": False}, "x (boolean, else no): x"),
        ({"type": "string", "enum": ["a", "b"], "default": "b"}, "x (one of a, b, else b): x"),
        ({"type": "string", "oneOf": [RED], "title": "Colour"}, "x (one of 1): Colour"),
    ],
)
def test_the_line_of_a_field_says_its_type_its_limits_and_its_default(
    told: dict[str, Any], line: str
) -> None:
    assert Asked({"x": told}).line("x").strip().startswith(line)


MANY = {"type": "array", "items": {"anyOf": [RED, {"const": "b, c", "title": "Blue"}]}}


@pytest.mark.parametrize(
    ("told", "words", "value"),
    [
        ({"type": "string"}, "any words = these", "any words = these"),
        ({"type": "string"}, "x='in quotes'", "in quotes"),
        ({"type": "string", "format": "email"}, "a@b.example", "a@b.example"),
        ({"type": "string", "format": "uri"}, "https://a.example/?b=c", "https://a.example/?b=c"),
        ({"type": "string", "format": "date"}, "2026-12-31", "2026-12-31"),
        ({"type": "integer"}, "-3", -3),
        ({"type": "number"}, "0.25", 0.25),
        ({"type": "boolean"}, "no", False),
        ({"type": "string", "oneOf": [RED]}, "#1", "r"),
        ({"type": "string", "enum": ["a b"]}, "a b", "a b"),
        (MANY, "r,#2", ["r", "b, c"]),
        (MANY, "x=r x='b, c'", ["r", "b, c"]),
        ({"type": "array", "items": {"type": "string"}}, "a,b", ["a", "b"]),
        ({"type": "string", "default": "usual"}, "", "usual"),
        ({"type": "array", "default": ["a"]}, "", ["a"]),
    ],
)
def test_words_are_a_value_of_each_type(told: dict[str, Any], words: str, value: Any) -> None:
    assert Asked({"x": told}, required=("x",)).values(words) == {"x": value}


@pytest.mark.parametrize(
    ("words", "moment"),
    [
        ("2026-12-31T23:59", "2026-12-31T23:59:00+05:45"),
        ("2026-12-31 23:59:07", "2026-12-31T23:59:07+05:45"),
        ("2026-12-31T23:59:07Z", "2026-12-31T23:59:07+00:00"),
        ("2026-12-31T23:59:07-03:30", "2026-12-31T23:59:07-03:30"),
        # The zone was ahead by 5:41:16 h then.
        ("1900-01-01T12:00", "1900-01-01T06:18:44+00:00"),
    ],
)
@pytest.mark.usefixtures("in_nepal")
def test_a_moment_carries_the_zone_of_the_machine_where_it_names_none(
    words: str, moment: str
) -> None:
    told = {"type": "string", "format": "date-time"}
    assert Asked({"x": told}).values(words) == {"x": moment}
    assert Asked({"x": told, "y": {"type": "string"}}).values(f"x='{words}'") == {"x": moment}


@pytest.mark.parametrize(
    ("told", "words", "sentence"),
    [
        ({"type": "integer"}, "1.5", "1.5 is no whole number"),
        ({"type": "integer"}, "9" * 400, "is no whole number"),
        ({"type": "number"}, "inf", "inf is no number"),
        ({"type": "number"}, "many", "many is no number"),
        ({"type": "boolean"}, "perhaps", "perhaps is neither yes nor no"),
    ],
)
def test_words_that_are_no_value_are_refused_with_a_sentence(
    told: dict[str, Any], words: str, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        Asked({"x": told}).values(words)


@pytest.mark.parametrize("words", ["soon", "0001-01-01T00:00", "99999-01-01T00:00"])
def test_a_moment_that_is_none_is_left_to_the_server(words: str) -> None:
    told = Asked({"x": {"type": "string", "format": "date-time"}})
    with pytest.raises(InvalidRequest, match="It must be a moment with its zone"):
        checked(told.schema, told.reply(words))


def expired(number: int, what: str = "question") -> list[Any]:
    """Return the event that tells of a request or a question that ran out."""
    return ["error", {"code": f"{what}_expired", "error": f"A {what} expired: number {number}"}]


async def test_a_question_or_a_request_that_expired_is_asked_again(server) -> None:
    async with sitting(server, agent=None) as one:
        one.types(":again")
        await one.shows("No request or question has expired.")
        other = ["error", {"code": "mode_refused", "error": "It stays in its mode."}]
        await one.call("append_drafts", drafts=[expired(1), expired(2, "permission"), other])
        await one.shows("! It stays in its mode.")
        assert one.text.count("  :again lets the agent ask again") == 2
        one.types(":again", ":again", ":again")
        await until(lambda: one.text.count("No request or question has expired.") == 2)
        await until(lambda: len(one.log("user_message")) == 2)
        assert [event["text"] for event in one.log("user_message")] == [
            "A permission expired: number 2\nPlease ask again and continue.",
            "A question expired: number 1\nPlease ask again and continue.",
        ]


async def test_a_terminal_that_comes_later_offers_to_ask_again(server) -> None:
    fill = partial(server.data.call, "append_drafts", drafts=[expired(1)])
    async with sitting(server, agent=None, begin=fill) as one:
        await one.shows("  :again lets the agent ask again")
        one.types(":again")
        await one.shows("> A question expired: number 1")
        await until(lambda: one.log("user_message"))
