"""Inline tags of HTML: `<br>`, and `<kbd>`, `<sub>`, `<sup>` in pairs, without attributes.

A tag without its partner stays text, and so does any other tag.
"""

from __future__ import annotations

# ruff: noqa: FBT001 (the signatures of rules are the parser's)
import re
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

_TAG: Final = re.compile(r"<(?:(/?)(kbd|sub|sup)|br ?/?)>", re.IGNORECASE)
_IS_TAG: Final = "tag"


def install(parser: MarkdownIt) -> None:
    """Let a parser know the tags."""
    parser.inline.ruler.before("autolink", "tag", _read)
    parser.core.ruler.before("text_join", "tags", _pair)


def _read(state: StateInline, silent: bool) -> bool:
    found = _TAG.match(state.src, state.pos, state.posMax)
    if found is None:
        return False
    state.pos = found.end()
    if not silent:
        # Text, until its partner is found; text_join takes the rest for text.
        token = state.push("text_special", "", 0)
        token.content, token.info = found.group(), _IS_TAG
    return True


def _pair(state: StateCore) -> None:
    for block in state.tokens:
        if block.type == "inline" and block.children and "<" in block.content:
            _pair_in(block.children)


def _pair_in(tokens: list[Token]) -> None:
    """Make elements of the tags that enclose whole elements."""
    opened: list[Token] = []
    for token in tokens:
        if token.type == "text_special" and token.info == _IS_TAG:
            _take(token, opened)
        elif token.nesting > 0:
            opened.append(token)
        elif token.nesting < 0:
            while opened and opened.pop().nesting == 0:
                pass  # a tag that was not closed inside of the element


def _take(token: Token, opened: list[Token]) -> None:
    found = _TAG.fullmatch(token.content)
    tag = found.group(2).lower() if found and found.group(2) else "br"
    if tag == "br":
        token.type, token.tag = "hardbreak", tag
    elif found and not found.group(1):
        opened.append(token)
        token.tag = tag
    elif opened and opened[-1].nesting == 0 and opened[-1].tag == tag:
        _become(opened.pop(), tag, 1)
        _become(token, tag, -1)


def _become(token: Token, tag: str, nesting: int) -> None:
    token.type = f"{tag}_{'open' if nesting > 0 else 'close'}"
    token.tag, token.nesting, token.content = tag, nesting, ""  # type: ignore[assignment]
