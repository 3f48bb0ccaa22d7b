"""Colours for code: at most a dozen classes, and none at all rather than late.

Lexers are regular expressions, and some of Pygments' need seconds for ten kilobytes of blank
lines. Those languages go by a plain lexer of our own; tests/unit/test_markdown.py holds every
language to the time limit with texts made to keep a lexer busy.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from html import escape
from typing import Any, ClassVar, Final, TypeVar

from pygments.lexer import Lexer, RegexLexer, words
from pygments.lexers import get_lexer_by_name
from pygments.token import STANDARD_TYPES, Comment, Keyword, Name, Number, String, Text

T = TypeVar("T")

MAX_CHARS: Final = 10_000
MAX_LINE: Final = 1_000
# Python's lexer looks at the blank lines ahead from each of them, within one token: the deadline
# would come too late.
_LONG_BLANK: Final = re.compile(r"\s{300}")

# Pygments knows some eighty token types; a reader can tell a dozen colours apart.
_CLASSES: Final[dict[str, str]] = {
    "k": "code-keyword",
    "s": "code-string",
    "c": "code-comment",
    "m": "code-number",
    "nf": "code-function",
    "nc": "code-class",
    "nb": "code-builtin",
    "nd": "code-builtin",
    "nt": "code-tag",
    "na": "code-attribute",
    "gi": "code-inserted",
    "gd": "code-deleted",
    "gh": "code-heading",
    "gu": "code-heading",
}
CLASSES: Final = frozenset(_CLASSES.values())


_KEYWORDS: Final = (
    "abstract as async auto await base bool boolean break byte case catch char"
    " class companion const constexpr continue data default defer delegate"
    " delete do double else enum event explicit export extends extension extern"
    " false final finally fixed float for foreach fun func get goto guard if"
    " implements import in init inline instanceof int interface internal is let"
    " lock long mutable namespace native new nil noexcept null nullptr object"
    " operator out override package params private protected protocol public"
    " readonly record ref register return sealed self set short signed sizeof"
    " static string struct super suspend switch synchronized template this"
    " throw throws transient true try typedef typename union unsigned using val"
    " var virtual void volatile when where while yield"
)


class CurlyLexer(RegexLexer):  # type: ignore[misc]  # Pygments comes without types
    """C and its relatives: comments, strings, numbers, keywords, calls. Linear in its input."""

    name = "curly"
    tokens: ClassVar[dict[str, list[Any]]] = {
        "root": [
            (r"//[^\n]*", Comment),
            (r"/\*", Comment, "comment"),
            (r"#[a-z]+", Keyword),
            (r'"(?:[^"\\\n]|\\.){0,999}"?', String),
            (r"'(?:[^'\\\n]|\\.){0,999}'?", String),
            (r"@[A-Za-z]\w{0,99}", Name.Decorator),
            (r"0[xX][0-9a-fA-F_]+|\d[\d_.]*(?:[eE][+-]?\d+)?[a-zA-Z]{0,3}", Number),
            (
                words(_KEYWORDS.split(), suffix=r"\b"),
                Keyword,
            ),
            (r"[A-Za-z_]\w{0,99}(?=\()", Name.Function),
            (r"\w+|\s+|.", Text),
        ],
        "comment": [
            (r"\*/", Comment, "#pop"),
            (r"[^*]+|\*", Comment),
        ],
    }


_OUR_ALIASES: Final = "c cpp c++ cc h hpp csharp c# cs java kotlin kt swift"
PYGMENTS_ALIASES: Final[dict[str, str]] = {
    "bash": "bash sh shell zsh",
    "console": "console shell-session",
    "css": "css scss",
    "diff": "diff patch",
    "docker": "docker dockerfile",
    "go": "go golang",
    "html": "html xml svg vue",
    "ini": "ini cfg conf",
    "javascript": "javascript js jsx mjs",
    "json": "json jsonc",
    "lua": "lua",
    "php": "php",
    "pycon": "pycon",
    "python": "python py python3",
    "ruby": "ruby rb",
    "rust": "rust rs",
    "sql": "sql sqlite postgresql",
    "toml": "toml",
    "typescript": "typescript ts tsx",
    "yaml": "yaml yml",
}
_BY_ALIAS: Final = {
    alias: name for name, known in PYGMENTS_ALIASES.items() for alias in known.split()
}
LANGUAGES: Final = frozenset(_BY_ALIAS) | frozenset(_OUR_ALIASES.split())


def load(language: str) -> None:
    """Have the rules of a language at hand: the first time takes longer than most code does."""
    if language in LANGUAGES:
        _lexer(language)


def colour(code: str, language: str, *, deadline: float) -> str | None:
    """Return code as escaped HTML with spans of CLASSES; None: leave it plain. As of `runs`."""
    found = runs(code, language, deadline=deadline)
    if found is None:
        return None
    return "".join(
        f'<span class="{css_class}">{escape(piece)}</span>' if css_class else escape(piece)
        for css_class, piece in found
    )


def runs(code: str, language: str, *, deadline: float) -> list[tuple[str, str]] | None:
    """Return code in runs of one of CLASSES, or of ""; None: leave it plain.

    deadline: time.thread_time() seconds, looked at between tokens: other work on the machine
    takes no colour away.
    """
    if language not in LANGUAGES or len(code) > MAX_CHARS:
        return None
    if max(map(len, code.split("\n")), default=0) > MAX_LINE or _LONG_BLANK.search(code):
        return None
    try:
        return list(_merged(_until(deadline, _lexer(language).get_tokens(code))))
    except TimeoutError:
        return None


def _lexer(language: str) -> Lexer:
    options = {"stripnl": False, "ensurenl": False}
    theirs = _BY_ALIAS.get(language)
    return get_lexer_by_name(theirs, **options) if theirs else CurlyLexer(**options)


def _until(deadline: float, tokens: Iterator[T]) -> Iterator[T]:
    """Yield the tokens. Raises TimeoutError at the first one that comes after the deadline."""
    for token in tokens:
        if time.thread_time() > deadline:
            raise TimeoutError
        yield token


def _merged(tokens: Iterator[tuple[Any, str]]) -> Iterator[tuple[str, str]]:
    """Yield (class or "", text), neighbours of one class joined."""
    last = ""
    pieces: list[str] = []
    for kind, piece in tokens:
        css_class = _css_class(kind)
        if css_class != last and pieces:
            yield last, "".join(pieces)
            pieces = []
        last = css_class
        pieces.append(piece)
    if pieces:
        yield last, "".join(pieces)


def _css_class(kind: Any) -> str:
    while kind is not None:
        short = STANDARD_TYPES.get(kind, "")
        if short in _CLASSES:
            return _CLASSES[short]
        kind = kind.parent
    return ""
