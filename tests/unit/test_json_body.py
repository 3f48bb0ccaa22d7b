"""JSON of a body: its values are counted before it is parsed, so no body is expensive."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.core.errors import InvalidRequest
from sessions.limits import json_body
from sessions.web.validation import MAX_FAULT_CHARS, MAX_NAME_CHARS, MAX_NAMED, invalid_request
from tests.support import processor

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


def test_ten_faults_are_named_and_each_is_cut():
    faults = [{"loc": ("body", 0, f"{n}-" + "x" * 500), "msg": "wrong" * 500} for n in range(1, 40)]
    error = invalid_request(faults)
    fields = error.fields["fields"]
    assert len(fields) == MAX_NAMED
    assert max(map(len, fields)) == MAX_NAME_CHARS
    assert max(map(len, fields.values())) == MAX_FAULT_CHARS
    assert str(error).endswith("; and 29 more.")
