"""The words of a query, and the places where a text has them. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from typing_extensions import TypedDict

MAX_WORDS: Final = 10
MAX_WORD_CHARS: Final = 64
# So much of a text stands before and behind the first match.
BEFORE_CHARS: Final = 60
SNIPPET_CHARS: Final = 220
_WORD: Final = re.compile(r"[^\W_]+")


class Piece(TypedDict):
    """A part of a snippet. isMatch: a word begins as one of the query."""

    text: str
    isMatch: bool


def of_query(text: str) -> list[str]:
    """Return the first words of a query in lower case: letters and digits, no signs."""
    words = dict.fromkeys(word.lower()[:MAX_WORD_CHARS] for word in _WORD.findall(text))
    return list(words)[:MAX_WORDS]


def snippet(text: str, words: Sequence[str]) -> list[Piece]:
    """Return the part of a text around its first match, with every match in it marked."""
    pattern = re.compile(
        "(?:" + "|".join(rf"(?<![^\W_]){re.escape(word)}[^\W_]*" for word in words) + ")",
        re.IGNORECASE,
    )
    found = pattern.search(text)
    begin = max(0, found.start() - BEFORE_CHARS) if found else 0
    end = begin + SNIPPET_CHARS
    pieces: list[Piece] = []
    at = begin
    for match in pattern.finditer(text, begin, min(end, len(text))):
        pieces.append({"text": text[at : match.start()], "isMatch": False})
        pieces.append({"text": match.group(), "isMatch": True})
        at = match.end()
    pieces.append({"text": text[at:end], "isMatch": False})
    if begin:
        pieces.insert(0, {"text": "…", "isMatch": False})
    if end < len(text):
        pieces.append({"text": "…", "isMatch": False})
    return [piece for piece in pieces if piece["text"]]
