"""JSON of a body: its values are counted before it is parsed, so no body is expensive."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sessions.core.errors import InvalidRequest
from sessions.limits import json_body
from sessions.web import projects_api
from sessions.web.validation import MAX_FAULT_CHARS, MAX_NAME_CHARS, MAX_NAMED, invalid_request
from tests.support import processor
from tests.support.server import ROOT
from transport import bodies

MANY = 400_000
texts = st.text(alphabet=st.characters(codec="utf-8")) | st.text(alphabet='\\",[{:}]n')
small = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@given(small)
def test_a_body_of_few_values_is_read_as_it_is(value):
    assert json_body.parse(json.dumps(value).encode()) == value


@pytest.mark.parametrize("escape", [",", "[", '"', "\\", "\n", "é", '\\"', "{[,"])
def test_a_long_text_is_one_value_whatever_it_holds(escape):
    body = {"text": escape * 100_000, "after": [1, 2]}
    assert json_body.parse(json.dumps(body).encode()) == body


@pytest.mark.parametrize(
    "body",
    [
        "[" + ",".join(["[]"] * MANY) + "]",
        "[" + ",".join(["1"] * MANY) + "]",
        "{" + ",".join(f'"k{n}":1' for n in range(MANY)) + "}",
        "[" + ",".join(['""'] * MANY) + "]",
        "[" * MANY,
        '{"a":' * MANY,
    ],
    ids=["lists", "numbers", "fields", "texts", "open lists", "open objects"],
)
def test_many_values_are_refused_before_they_are_parsed(body, monkeypatch):
    def parsed(*_args):
        pytest.fail("the parser was asked")

    raw = body.encode()
    monkeypatch.setattr(json_body.json, "loads", parsed)

    def refused() -> None:
        with pytest.raises(InvalidRequest, match="values"):
            json_body.parse(raw)

    # The parser takes up to a second for these.
    assert processor.seconds(refused) < 0.2


@pytest.mark.parametrize("depth", [17, 100, 900])
def test_a_body_is_nested_to_a_limit(depth):
    with pytest.raises(InvalidRequest, match=r"deeper|JSON"):
        json_body.parse(("[" * depth + "]" * depth).encode())
    assert json_body.parse(("[" * 16 + "]" * 16).encode())


@pytest.mark.parametrize("raw", [b"", b"{", b'"', b'"\\', b"\xff", b"nul", b'{"a":1}x'])
def test_a_body_that_is_no_json_is_refused(raw):
    with pytest.raises(InvalidRequest, match="JSON"):
        json_body.parse(raw)


ID = "6f1f6c0e-0a35-4a0c-8d2e-0f7a5a3b1c2d"
SEND = {"clientMsgId": "m-1", "sessionId": None, "text": "Hello"}


@pytest.mark.parametrize(
    ("kind", "body", "names"),
    [
        (bodies.Send, {**SEND, "worktree": 5}, ["worktree"]),
        (bodies.Send, {**SEND, "worktree": {"branch": 5}}, ["worktree"]),
        (bodies.Send, {**SEND, "worktree": {"branch": "a", "existing": "b"}}, ["worktree"]),
        (bodies.Send, {**SEND, "options": {"pace": 5}}, ["pace"]),
        (bodies.Send, {**SEND, "options": {"": "x"}}, ["options"]),
        (bodies.Send, {**SEND, "attachments": [{"blob": "0" * 64}]}, ["name"]),
        (bodies.Option, {"sessionId": ID, "optionId": "pace", "value": None}, ["value"]),
        (bodies.Option, {"sessionId": ID, "optionId": "pace", "value": "a\0"}, ["value"]),
        (projects_api.SomeDefaults, {"waiting": 0}, ["waiting"]),
        (projects_api.SomeDefaults, {"options": {"demo": {"pace": 5}}}, ["pace"]),
    ],
)
def test_a_fault_has_the_name_of_its_field_alone(kind, body, names):
    with pytest.raises(ValidationError) as faults:
        kind.model_validate(body)
    assert list(invalid_request(faults.value.errors()).fields["fields"]) == names


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (bodies.Send, {**SEND, "worktree": {"branch": "a", "from": "b"}, "options": {"p": True}}),
        (bodies.Send, {**SEND, "worktree": {"existing": "a"}, "options": {"p": "fast"}}),
        (projects_api.SomeDefaults, {"waiting": 60}),
        (projects_api.SomeDefaults, {"waiting": "until_answered"}),
    ],
)
def test_each_kind_of_a_field_fits(kind, body):
    told = kind.model_validate(body).model_dump(by_alias=True, exclude_unset=True)
    assert told == body


def test_a_fault_is_told_in_words_for_people():
    with pytest.raises(ValidationError) as faults:
        bodies.OneSession.model_validate({"sessionId": "x"})
    assert str(invalid_request(faults.value.errors())) == "sessionId: must be an id."


def test_a_fault_is_told_under_its_field_by_every_part_of_the_server():
    told = InvalidRequest("The prompt is empty.", field="text").body()
    assert told["fields"] == {"text": "The prompt is empty."}
    assert told.keys() == {"ok", "code", "error", "fields"}


def test_every_body_of_the_api_is_strict():
    """A field that is misspelt must not be left out: a rule would hold for another folder."""
    named = [
        (path, name)
        for path in (ROOT / "sessions/web").rglob("*.py")
        for name in re.findall(r"\bbody: ([A-Z]\w+)", path.read_text("utf-8"))
    ]
    assert len(named) > 10
    for path, name in named:
        assert re.search(rf"class {name}\(Body\)", path.read_text("utf-8")), name


def test_ten_faults_are_named_and_each_is_cut():
    faults = [{"loc": ("body", 0, f"{n}-" + "x" * 500), "msg": "wrong" * 500} for n in range(1, 40)]
    error = invalid_request(faults)
    fields = error.fields["fields"]
    assert len(fields) == MAX_NAMED
    assert max(map(len, fields)) == MAX_NAME_CHARS
    assert max(map(len, fields.values())) == MAX_FAULT_CHARS
    assert str(error).endswith("; and 29 more.")
