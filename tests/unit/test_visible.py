"""What hides, moves or erases is marked; what people write in their own scripts stays."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessions.text.visible import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ls \x1b[2J", "ls ⟨U+001B⟩[2J"),
        ("\x1b]52;c;cm0=\x07", "⟨U+001B⟩]52;c;cm0=⟨U+0007⟩"),
        ("rm a\rls", "rm a⟨U+000D⟩ls"),
        ("a\x08b\x7f\x00", "a⟨U+0008⟩b⟨U+007F⟩⟨U+0000⟩"),
        ("\x9b2J\x85", "⟨U+009B⟩2J⟨U+0085⟩"),
        ("echo \u202egnp.exe\u2066", "echo ⟨U+202E⟩gnp.exe⟨U+2066⟩"),
        ("a\u200bb\ufeffc\u00add\u2060", "a⟨U+200B⟩b⟨U+FEFF⟩c⟨U+00AD⟩d⟨U+2060⟩"),
        ("a\u2028b\u2029", "a⟨U+2028⟩b⟨U+2029⟩"),
        ("ls\U000e0072\U000e006d\U000e0001", "ls⟨U+E0072⟩⟨U+E006D⟩⟨U+E0001⟩"),
        ("ls\ufe0f\ufe01 \U000e0100", "ls⟨U+FE0F⟩⟨U+FE01⟩ ⟨U+E0100⟩"),
        ("😀\ufe0f\ufe0f", "😀\ufe0f⟨U+FE0F⟩"),
        ("a\u3164\u115f\u1160\uffa0", "a⟨U+3164⟩⟨U+115F⟩⟨U+1160⟩⟨U+FFA0⟩"),
        ("a\u2800b\u034fc\u180e", "a⟨U+2800⟩b⟨U+034F⟩c⟨U+180E⟩"),
        ("rm\u200d -rf\u200c", "rm⟨U+200D⟩ -rf⟨U+200C⟩"),
        ("\u200d👩", "⟨U+200D⟩👩"),
        ("👩\u200d", "👩⟨U+200D⟩"),
        ("a |\u200d| b +\ufe0f", "a |⟨U+200D⟩| b +⟨U+FE0F⟩"),
        ("\ufe0f", "⟨U+FE0F⟩"),
        ("\ud83d", "⟨U+D83D⟩"),
    ],
)
def test_what_cannot_be_seen_is_marked(text, shown):
    assert visible(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "plain ASCII, with\ta tab\nand two lines",
        "10\u202f000\u00a0€ 全角\u3000空白",
        "Grüße, Ελλάδα, 日本語, עברית, العربية",
        "family 👨\u200d👩\u200d👧, 👩🏽\u200d💻, 🏳\ufe0f\u200d🌈, ❤\ufe0f\u200d🔥, 🇩🇪",
        "keycap 1\ufe0f\u20e3, warning ⚠\ufe0f, arrow ↔\ufe0f, \u203c\ufe0f",
        "Persian \u0645\u06cc\u200c\u062e\u0648\u0627\u0645",
        "Hindi क्\u200dष, Bengali র\u200d্য",
        "葛\U000e0100城",
        "e\u0301 a\u0308",
    ],
)
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
