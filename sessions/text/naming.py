"""The name of a chat, made from its first prompt and its first answer without a model. Pure."""

from __future__ import annotations

import re
from typing import Final

# A longer sentence ends at a word before that, with an ellipsis.
MAX_NAME_CHARS: Final = 60
# So much of a text is looked at.
MAX_LOOK_CHARS: Final = 4_000
# Words of a name that say too little alone: "Hello".
_MIN_LETTERS: Final = 6
_CODE: Final = re.compile(r"^(```|~~~).*?(?:^\1[^\n]*$|\Z)", re.MULTILINE | re.DOTALL)
_LINE_MARK: Final = re.compile(r"^[\s>#]*(?:[-*+]|\d{1,4}[.)])?\s+|^[>#]+")
_LINK: Final = re.compile(r"!?\[([^\]\n]{0,500})\]\([^)\s]{0,2000}\)")
_EMPHASIS: Final = re.compile(r"[*`]+|(?<!\w)_+|_+(?!\w)")
_UNSEEN: Final = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_END: Final = re.compile(r"[.!?…](?=\s|$)|[\u3002\uff01\uff1f]")
_COMMAND: Final = re.compile(r"^/\w")


def name_of(prompt: str, answer: str) -> str:
    """Return a name of at most MAX_NAME_CHARS characters, "" where the texts say too little.

    The first sentence of the prompt counts; of the answer, where the prompt is a command, or has
    no more than a greeting.
    """
    asked, said = _sentence(prompt), _sentence(answer)
    if _is_telling(asked) and not _COMMAND.match(asked):
        return _short(asked)
    found = said if _is_telling(said) else asked or said
    return _short(found) if any(char.isalnum() for char in found) else ""


def _sentence(text: str) -> str:
    """Return the first sentence outside of blocks of code, without marks of Markdown."""
    prose = _CODE.sub("", text[:MAX_LOOK_CHARS])
    for line in prose.splitlines():
        plain = _EMPHASIS.sub("", _LINK.sub(r"\1", _LINE_MARK.sub("", line)))
        words = " ".join(_UNSEEN.sub(" ", plain).split())
        if any(char.isalnum() for char in words):
            end = _END.search(words)
            return words[: end.end()] if end else words
    return ""


def _is_telling(sentence: str) -> bool:
    return sum(char.isalpha() for char in sentence) >= _MIN_LETTERS and " " in sentence.strip()


def _short(sentence: str) -> str:
    whole = sentence.rstrip(" .:;,。") or sentence
    whole = whole[:1].upper() + whole[1:]
    if len(whole) <= MAX_NAME_CHARS:
        return whole
    cut = whole[:MAX_NAME_CHARS]
    begin, _, _ = cut.rpartition(" ")
    # A text without spaces is cut where it has to be.
    kept = begin if len(begin) > MAX_NAME_CHARS // 2 else cut[:-1]
    return f"{kept.rstrip(' .:;,')}…"
