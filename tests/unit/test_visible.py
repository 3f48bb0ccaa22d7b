"""What hides, moves or erases is marked; what people write in their own scripts stays."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.text.asking import option_line
from sessions.text.visible import visible

# The twin is static/sessions/words/visible.js: one file of cases for both.
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


@pytest.mark.parametrize("name", CASES["ranges"])
def test_all_code_points_of_a_kind_are_marked(name):
    for first, last in CASES["ranges"][name]:
        for code in range(first, last + 1):
            assert visible(f"ls{chr(code)} -l") == f"ls⟨U+{code:04X}⟩ -l"


@given(st.text(st.characters(exclude_categories=()), max_size=60))
def test_whatever_comes_in_can_be_printed_and_moves_no_cursor(text):
    shown = visible(text)
    shown.encode()
    assert not [c for c in shown if unicodedata.category(c) == "Cc" and c not in "\n\t"]
    assert not set(shown) & set(
        "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f"
    )
    assert visible(shown) == shown


@pytest.mark.parametrize(
    ("kind", "label", "line"),
    [
        ("allow_once", "Yes", "Yes (allows once)"),
        ("reject_once", "No", "No (rejects once)"),
        ("allow_always", "Reject", "Reject (allows always)"),
        ("reject_once", "Allow once", "Allow once (rejects once)"),
        ("allow_always", "Yes", "Yes (allows always)"),
        ("allow_always", "Always allow ls", "Always allow ls (allows always)"),
        ("allow_once", "commands that start with ls", "commands that start with ls (allows once)"),
        ("reject_always", "Never", "Never (rejects always)"),
        ("other", "Yes", "Yes (effect unknown)"),
        ("allow_once", "Yes\n :2 No\x1b", "Yes⟨U+000A⟩ :2 No⟨U+001B⟩ (allows once)"),
    ],
)
def test_an_option_says_its_effect_beside_its_label(kind, label, line):
    assert option_line({"kind": kind, "label": label}) == line
