"""Text whose every character can be seen: a mark in place of each one that hides or reorders.

A person approves a command by reading it on a screen. Control characters change that screen, bidi
controls change the order of its words, and some characters are drawn as nothing. Joiners and
variation selectors stay where a script or an emoji needs them.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

# Everything but plain ASCII is looked at.
_UNUSUAL: Final = re.compile(r"[^\n\t\x20-\x7e]")
# Controls, format characters, lone surrogates, line and paragraph separators.
_HIDDEN_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Drawn as nothing, though Unicode files them under letters, marks, symbols or nowhere yet.
_BLANK: Final = frozenset(
    {
        0x034F,  # combining grapheme joiner
        *(0x115F, 0x1160, 0x3164, 0xFFA0),  # Hangul fillers
        *(0x17B4, 0x17B5),  # Khmer inherent vowels
        *range(0x180B, 0x1810),  # Mongolian selectors
        *range(0x2060, 0x2070),
        0x2800,  # Braille without a dot
        *range(0xFFF0, 0xFFF9),
        *range(0x13430, 0x13440),  # controls of hieroglyphs, newer than Python's own table
        0x16FE4,  # a filler of the Khitan script
        0x1D159,  # a note without a head
    }
)
_SUPPLEMENTARY: Final = range(0xE0000, 0xE1000)  # tags and further variation selectors
_SELECTORS: Final = range(0xFE00, 0xFE10)
_EMOJI_SELECTORS: Final = "\ufe0e\ufe0f"
_IDEOGRAPHIC_SELECTORS: Final = range(0xE0100, 0xE01F0)
_SKIN_TONES: Final = range(0x1F3FB, 0x1F400)
_ZWNJ, _ZWJ = "\u200c", "\u200d"
# Emoji that Unicode files under punctuation.
_PUNCTUATION_EMOJI: Final = "\u203c\u2049\u3030\u303d"
_KEYCAP: Final = "\u20e3"
_VIRAMA: Final = 9  # the combining class of the signs that join the consonants of Indic scripts


def visible(text: str) -> str:
    """Return text with ⟨U+202E⟩ and the like in place of each character that cannot be seen.

    Newline, tab and every kind of space stay as they are. The result can be encoded and holds no
    escape sequence, whatever comes in.
    """
    return _UNUSUAL.sub(_shown, text)


def _shown(match: re.Match[str]) -> str:
    char = match.group()
    if not _is_hidden(char) or _is_in_place(match.string, match.start()):
        return char
    return f"⟨U+{ord(char):04X}⟩"


def _is_hidden(char: str) -> bool:
    code = ord(char)
    is_known = code in _BLANK or code in _SELECTORS or code in _SUPPLEMENTARY
    return is_known or unicodedata.category(char) in _HIDDEN_CATEGORIES


def _is_in_place(text: str, at: int) -> bool:
    """Return whether a script or an emoji needs the hidden character at this place."""
    char, before, after = text[at], text[at - 1 : at], text[at + 1 : at + 2]
    if not before:
        return False
    if char in (_ZWNJ, _ZWJ):
        is_emoji = char == _ZWJ and _is_symbol(after) and _ends_emoji(text, at)
        return is_emoji or _joins_letters(before, after)
    if char in _EMOJI_SELECTORS:
        return _is_symbol(before) or (before in "0123456789#*" and after == _KEYCAP)
    return ord(char) in _IDEOGRAPHIC_SELECTORS and _is_ideograph(before)


def _ends_emoji(text: str, end: int) -> bool:
    """Return whether an emoji ends before end, with its skin tone and its selector."""
    last = text[end - 1]
    if end > 1 and (last in _EMOJI_SELECTORS or ord(last) in _SKIN_TONES):
        last = text[end - 2]
    return _is_symbol(last)


def _is_symbol(char: str) -> bool:
    if not char or char.isascii() or ord(char) in _BLANK:
        return False
    return unicodedata.category(char) in ("So", "Sm") or char in _PUNCTUATION_EMOJI


def _joins_letters(before: str, after: str) -> bool:
    """Return whether a joiner shapes the letters around it, as Persian and Hindi write them."""
    if not after:
        return False
    if _VIRAMA in (unicodedata.combining(before), unicodedata.combining(after)):
        return True
    kinds = {unicodedata.bidirectional(before), unicodedata.bidirectional(after)}
    return kinds == {"AL"}


def _is_ideograph(char: str) -> bool:
    return unicodedata.name(char, "").startswith("CJK UNIFIED IDEOGRAPH-")
