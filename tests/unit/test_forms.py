"""Forms of questions: every type of the protocol, its limits, and schemas that mean harm."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.agents.acp.translation import forms as schemas
from sessions.agents.acp.translation.forms import form_of
from sessions.control.forms import checked
from sessions.core.errors import InvalidRequest
from sessions.text import formats

RED = {"const": "red", "title": "Red", "description": "Like blood"}
BLUE = {"const": "blue", "title": "Blue"}


def form(**field: Any) -> dict[str, Any]:
    """Return the form of an agent that asks for one field, which it needs."""
    return form_of({"type": "object", "properties": {"x": field}, "required": ["x"]})


def reason(told: dict[str, Any], value: Any) -> str:
    """Return the sentence with which a value of the field is refused."""
    with pytest.raises(InvalidRequest) as refused:
        checked(told, {"x": value})
    assert refused.value.status == 400
    assert list(refused.value.fields["fields"]) == ["x"]
    return str(refused.value.fields["fields"]["x"])


TEXT = {"type": "string"}
NUMBER = {"type": "number"}
WHOLE = {"type": "integer"}
CHOICE = {"type": "string", "oneOf": [RED, BLUE]}
PLAIN = {"type": "string", "enum": ["red", "blue"]}
MANY = {"type": "array", "items": {"anyOf": [RED, BLUE]}}
MANY_PLAIN = {"type": "array", "items": {"type": "string", "enum": ["red", "blue"]}}


@pytest.mark.parametrize(
    ("field", "good"),
    [
        (TEXT, ["", "any", "two\nlines", "x" * 100_000]),
        ({**TEXT, "minLength": 2, "maxLength": 3}, ["ab", "abc", "😀😀😀"]),
        ({**TEXT, "pattern": "^[a-z]+-[0-9]{2}$"}, ["ab-12"]),
        ({**TEXT, "pattern": "b"}, ["abc"]),
        (NUMBER, [1, 1.5, -3e300]),
        ({**NUMBER, "minimum": 0.5, "maximum": 1.5}, [0.5, 1, 1.5]),
        ({**NUMBER, "exclusiveMinimum": 0, "exclusiveMaximum": 1}, [0.001, 0.999]),
        (WHOLE, [0, -7, 3.0, 2**53 - 1]),
        ({**WHOLE, "minimum": 1, "maximum": 3}, [1, 3]),
        ({"type": "boolean"}, [True, False]),
        (CHOICE, ["red", "blue"]),
        (PLAIN, ["red", "blue"]),
        (MANY, [[], ["red"], ["blue", "red"]]),
        (MANY_PLAIN, [[], ["blue"]]),
        ({**MANY, "minItems": 1, "maxItems": 1}, [["red"]]),
        ({"type": "array", "items": {"type": "string"}}, [["any", "words"]]),
    ],
)
def test_values_of_every_type_fit(field: dict[str, Any], good: list[Any]) -> None:
    for value in good:
        assert checked(form(**field), {"x": value}) == {"x": value}


NO_CHOICE = "It must be one of the choices."


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        (TEXT, 3, "It must be a text."),
        (TEXT, None, "It must be a text."),
        (TEXT, "x" * 100_001, "Too long."),
        ({**TEXT, "minLength": 2}, "😀", "It must have at least 2 characters."),
        ({**TEXT, "maxLength": 1}, "ab", "It must have at most 1 character."),
        ({**TEXT, "pattern": "^a$"}, "b", "It does not match '^a$'."),
        (NUMBER, "1", "It must be a number."),
        (NUMBER, True, "It must be a number."),
        (NUMBER, float("nan"), "It must be a number."),
        ({**NUMBER, "minimum": 0.5}, 0.4, "It must be at least 0.5."),
        ({**NUMBER, "maximum": 0.5}, 0.6, "It must be at most 0.5."),
        ({**NUMBER, "exclusiveMinimum": 0}, 0, "It must be more than 0."),
        ({**NUMBER, "exclusiveMaximum": 0}, 0, "It must be less than 0."),
        (WHOLE, 1.5, "It must be a whole number."),
        (WHOLE, 2**53, "Too large."),
        (WHOLE, 2.0**53, "Too large."),
        (WHOLE, -1e300, "Too large."),
        ({"type": "boolean"}, "true", "It must be true or false."),
        ({"type": "boolean"}, 1, "It must be true or false."),
        (CHOICE, "Red", NO_CHOICE),
        (PLAIN, "green", NO_CHOICE),
        (MANY, "red", "It must be a list."),
        (MANY, ["green"], NO_CHOICE),
        (MANY_PLAIN, ["green"], NO_CHOICE),
        (MANY_PLAIN, [3], "It must be a text."),
        ({**MANY, "minItems": 1}, [], "Choose at least 1."),
        ({**MANY, "maxItems": 1}, ["red", "blue"], "Choose at most 1."),
    ],
)
def test_values_that_do_not_fit_are_refused_with_a_sentence(
    field: dict[str, Any], value: Any, sentence: str
) -> None:
    assert reason(form(**field), value) == sentence


def test_a_whole_number_reaches_the_agent_as_one() -> None:
    told = checked(form(**WHOLE), {"x": 3.0})
    assert json.dumps(told) == '{"x": 3}'
    assert json.dumps(checked(form(**NUMBER), {"x": 3.0})) == '{"x": 3.0}'


def test_ten_faults_of_an_answer_are_named() -> None:
    with pytest.raises(InvalidRequest) as refused:
        checked(form(**WHOLE), {f"more{number}": 1 for number in range(900)})
    assert len(refused.value.fields["fields"]) == 10


FITS = {
    "email": ["a@b.example", "first.last+tag@sub.example.org", "root@localhost"],
    "uri": ["https://example.org/?a=b#c", "mailto:a@b.example", "urn:isbn:1", "http://[::1]:8/"],
    "date": ["2024-02-29", "0001-01-01"],
    "date-time": [
        "2026-12-31T23:59:00Z",
        "2026-12-31t23:59:60.123456789z",
        "2026-12-31T23:59:00+14:00",
        "2026-12-31T23:59:00-00:30",
    ],
}
MISFITS = {
    "email": [
        *("", "a", "a@", "@b.example", "a b@c.example", "a@b..c", "a@-b.c", "a@b.c\n", "é@b.c"),
        *("a@" + "b" * 64 + ".c", "a" * 251 + "@b.c"),
    ],
    "uri": [
        *("", "example.org", "/path", "https:", "https:///x", "http://a b/", "x:y\n", "x:é"),
        *("http://[::1", "x:%zz", "1:x", "https://example.org/\u202e"),
    ],
    "date": ["", "2026-02-29", "2026-2-3", "12026-01-01", "2026-01-01\n", "٢٠٢٦-01-01", "x"],
    "date-time": [
        *("", "2026-12-31", "2026-12-31T23:59:00", "2026-12-31T23:59Z", "2026-12-31 23:59:00Z"),
        *("2026-02-30T00:00:00Z", "2026-12-31T24:00:00Z", "2026-12-31T23:59:00+24:00"),
        *("2026-12-31T23:59:00+0100", "2026-12-31T23:59:00Z\n"),
    ],
}


@pytest.mark.parametrize("name", formats.CHECKS)
def test_a_format_is_held_and_a_misfit_says_so(name: str) -> None:
    told = form(type="string", format=name)
    assert told["properties"]["x"]["format"] == name
    for good in FITS[name]:
        assert checked(told, {"x": good}) == {"x": good}
    for bad in MISFITS[name]:
        assert reason(told, bad).startswith("It must be a"), bad
    assert reason(told, 3) == "It must be a text."


def test_a_format_that_is_not_known_allows_any_text() -> None:
    told = form(type="string", format="hostname")
    assert checked(told, {"x": "no host!"}) == {"x": "no host!"}


def test_each_missing_and_each_unknown_field_is_told() -> None:
    told = form_of({"properties": {"a": TEXT, "b": TEXT, "c": TEXT}, "required": ["a", "b", "z"]})
    with pytest.raises(InvalidRequest) as refused:
        checked(told, {"c": "fits", "d": 1})
    needed = "A value is needed."
    assert refused.value.fields["fields"] == {
        "d": "The question has no such field.",
        "a": needed,
        "b": needed,
    }


def test_titles_of_an_older_form_become_titled_choices() -> None:
    older = {"enum": ["r", "b"], "enumNames": ["Red", "Blue"]}
    titled = [{"const": "r", "title": "Red"}, {"const": "b", "title": "Blue"}]
    assert form(type="string", **older)["properties"]["x"]["oneOf"] == titled
    many = form(type="array", items=older)["properties"]["x"]
    assert many["items"] == {"type": "string", "anyOf": titled}
    uneven = form(type="string", enum=["r", "b"], enumNames=["Red"])
    assert uneven["properties"]["x"]["enum"] == ["r", "b"]


def test_a_value_that_is_named_twice_is_one_choice() -> None:
    told = form(type="string", oneOf=[RED, BLUE, {"const": "red", "title": "Once more"}])
    assert told["properties"]["x"]["oneOf"] == [RED, BLUE]
    assert checked(told, {"x": "red"}) == {"x": "red"}


@pytest.mark.parametrize("none", [[], [3], "red", [{"title": "no value"}], None])
def test_a_field_without_a_choice_that_can_be_shown_takes_any_text(none: Any) -> None:
    for keyword in ("enum", "oneOf", "anyOf"):
        assert checked(form(type="string", **{keyword: none}), {"x": "any"}) == {"x": "any"}
        listed = form(type="array", items={keyword: none})
        assert checked(listed, {"x": ["any"]}) == {"x": ["any"]}


def test_keywords_of_another_type_make_no_field_impossible() -> None:
    every = {"minLength": 9, "minItems": 9, "minimum": 9, "format": "date", "pattern": "^z$"}
    odd = {**every, "enum": ["z"], "oneOf": [RED]}
    assert checked(form(type="boolean", **odd), {"x": True}) == {"x": True}
    assert checked(form(type="integer", **odd), {"x": 9}) == {"x": 9}
    assert checked(form(type="array", **odd), {"x": ["a"] * 9}) == {"x": ["a"] * 9}


@pytest.mark.parametrize(
    ("field", "default"),
    [
        (TEXT, "two\nlines"),
        (NUMBER, 0.5),
        (WHOLE, 3),
        ({"type": "boolean"}, False),
        (CHOICE, "blue"),
        (PLAIN, "blue"),
        (MANY, ["blue", "red"]),
        (MANY_PLAIN, []),
        ({**TEXT, "format": "date-time"}, "2026-12-31T23:59:00Z"),
    ],
)
def test_a_default_of_each_type_is_kept(field: dict[str, Any], default: Any) -> None:
    kept = form(**field, default=default)["properties"]["x"]["default"]
    assert (kept, type(kept)) == (default, type(default))


@pytest.mark.parametrize(
    ("field", "default"),
    [
        (TEXT, 3),
        (TEXT, "x" * 10_001),
        (NUMBER, "3"),
        (NUMBER, float("inf")),
        (WHOLE, 3.5),
        (WHOLE, True),
        ({"type": "boolean"}, "yes"),
        (CHOICE, "green"),
        (PLAIN, "green"),
        (MANY, ["red", "green"]),
        (MANY, "red"),
        (MANY, [3]),
    ],
)
def test_a_default_that_is_no_value_of_its_field_is_left_out(
    field: dict[str, Any], default: Any
) -> None:
    assert "default" not in form(**field, default=default)["properties"]["x"]


def test_a_whole_number_that_is_written_with_a_point_is_a_default() -> None:
    assert json.dumps(form(type="integer", default=3.0)["properties"]["x"]["default"]) == "3"


# --- Schemas that mean harm ---------------------------------------------------------------------


def test_a_nested_schema_becomes_texts() -> None:
    nested: dict[str, Any] = {"type": "object", "properties": {}}
    for _ in range(5_000):
        nested = {"type": "object", "properties": {"deeper": nested}, "items": nested}
    told = form_of({"properties": {"x": nested, "y": [nested], "z": "no schema"}})
    assert told["properties"] == {"x": {"type": "string"}}


def test_a_huge_schema_keeps_its_bounds() -> None:
    long = "x" * 1_000_000
    choices = [{"const": str(number), "title": long} for number in range(100_000)]
    field = {"type": "string", "title": long, "pattern": long, "oneOf": choices}
    field |= {"default": long, "minLength": 10**400, "description": long, "more": long}
    told = form_of({"properties": {str(number): field for number in range(1_000)}})
    assert len(told["properties"]) == schemas.MAX_FIELDS
    assert len(told["properties"]["0"]["oneOf"]) == schemas.MAX_CHOICES
    assert not {"pattern", "default", "minLength", "more"} & told["properties"]["0"].keys()
    assert len(json.dumps(told)) < 5_000_000
    words = {"enum": [long, "short"]}
    assert form(type="string", **words)["properties"]["x"]["enum"] == ["short"]


@pytest.mark.parametrize(
    "pattern", ["^(a+)+$", "^(a|a)*$", "^(a|aa)+$", "(.*a){25}", "^(([a-z])+.)+[A-Z]([a-z])+$"]
)
def test_a_pattern_takes_time_that_grows_with_the_text_alone(pattern: str) -> None:
    told = form(type="string", pattern=pattern)
    assert told["properties"]["x"]["pattern"] == pattern
    begun = time.process_time()
    reason(told, "a" * 24 + "b" * 90_000 + "!\n")
    assert time.process_time() - begun < 5


def test_a_pattern_that_no_engine_knows_allows_any_text() -> None:
    for odd in ("(", "(?<=a)b", "a{1000000000}", "\\p{nothing}"):
        assert checked(form(type="string", pattern=odd), {"x": "any"}) == {"x": "any"}


def test_a_format_takes_time_that_grows_with_the_text_alone() -> None:
    begun = time.process_time()
    for text in ("a" * 99_999, "a@" + "a." * 49_000, "x:" + "%41" * 33_000 + "%", "1" * 99_999):
        for is_fit in formats.CHECKS.values():
            is_fit(text)
    assert time.process_time() - begun < 5


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
ODD = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
KEYWORDS = ["title", "description", "default", "enum", "enumNames", "oneOf", "anyOf", "items"]
KEYWORDS += ["format", "pattern", "minLength", "maxLength", "minItems", "maxItems", "minimum"]
KEYWORDS += ["maximum", "exclusiveMinimum", "exclusiveMaximum", "const"]
TYPES = st.sampled_from(["string", "number", "integer", "boolean", "array", "object"])
FIELD = st.dictionaries(st.sampled_from(KEYWORDS), ODD | st.lists(st.fixed_dictionaries({})))
FIELDS = st.builds(lambda kind, field: {**field, "type": kind}, TYPES | ODD, FIELD) | ODD
PROPERTIES = st.dictionaries(st.sampled_from(["x", "y", ""]), FIELDS) | ODD
SCHEMAS = st.fixed_dictionaries({}, optional={"properties": PROPERTIES, "required": ODD}) | ODD


@given(schema=SCHEMAS, values=st.dictionaries(st.sampled_from(["x", "y"]), ODD) | ODD)
def test_no_schema_and_no_values_make_a_fault(schema: Any, values: Any) -> None:
    told = form_of(schema)
    assert form_of(told) == told  # the form of a form is itself
    with contextlib.suppress(InvalidRequest):
        assert checked(told, values).keys() <= told["properties"].keys()
