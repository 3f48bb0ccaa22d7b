"""What hides, moves or erases is marked; what people write in their own scripts stays."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.text.visible import visible

# The page has a twin of this function (static/sessions/visible.js): one file of cases for both.
GOLDEN = Path(__file__).parent.parent / "golden" / "visible.json"
CASES = json.loads(GOLDEN.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("text", "shown"), [(case["text"], case["shown"]) for case in CASES["marked"]]
)
def test_what_cannot_be_seen_is_marked(text, shown):
    assert visible(text) == shown


@pytest.mark.parametrize("text", CASES["kept"])
def test_text_of_any_script_stays_as_it_is(text):
    assert visible(text) == text


@given(st.text(st.characters(exclude_categories=()), max_size=60))
def test_whatever_comes_in_can_be_printed_and_moves_no_cursor(text):
    shown = visible(text)
    shown.encode()
    assert not [c for c in shown if unicodedata.category(c) == "Cc" and c not in "\n\t"]
    assert not set(shown) & set(
        "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f"
    )
    assert visible(shown) == shown
