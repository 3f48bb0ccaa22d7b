"""Links: bare addresses become some, and a link that leads nowhere becomes text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

_LINK: Final = re.compile(r"https?://[^\s<>\"'`\\^{}|]+")
_TAIL: Final = frozenset(".,;:!?*_~)]")


def install(parser: MarkdownIt) -> None:
    """Let a parser know bare addresses, and only addresses that a reader can follow."""
    parser.core.ruler.push("links", _find)


def leads(address: str) -> bool:
    """Return whether a link may lead there: a relative one leads into this site."""
    return address.lower().startswith(("http://", "https://", "mailto:"))


def _find(state: StateCore) -> None:
    for block in state.tokens:
        if block.type == "inline" and block.children:
            if any(child.type == "link_open" for child in block.children):
                block.children = list(_leading(block.children))
            if "://" in block.content:
                block.children = list(_with_links(block.children))


def _leading(children: list[Token]) -> Iterator[Token]:
    """Yield the tokens; of a link that leads nowhere its text, and its address in brackets."""
    lost = ""
    shown = ""
    for child in children:
        if child.type == "link_open" and not leads(str(child.attrGet("href") or "")):
            lost, shown = str(child.attrGet("href") or ""), ""
        elif child.type == "link_close" and lost:
            if lost != shown:
                yield _text(f" ({lost})", child.level)
            lost = ""
        elif child.type != "link_close" or not lost:
            shown += child.content
            yield child


def _with_links(children: list[Token]) -> Iterator[Token]:
    """Yield the tokens with links for http(s) addresses in plain text, outside links and code."""
    depth = 0
    for child in children:
        depth += {"link_open": 1, "link_close": -1}.get(child.type, 0)
        if child.type != "text" or depth or "://" not in child.content:
            yield child
            continue
        done = 0
        for match in _LINK.finditer(child.content):
            address = _without_tail(match.group())
            yield _text(child.content[done : match.start()], child.level)
            yield Token("link_open", "a", 1, attrs={"href": address}, level=child.level)
            yield _text(address, child.level + 1)
            yield Token("link_close", "a", -1, level=child.level)
            done = match.start() + len(address)
        yield _text(child.content[done:], child.level)


def _without_tail(address: str) -> str:
    """Return the address without the punctuation of the sentence around it. In linear time."""
    # More are closed than opened inside the address: that many belong to the sentence.
    foreign = address.count(")") - address.count("(")
    end = len(address)
    while address[end - 1] in _TAIL:
        if address[end - 1] == ")":
            if foreign <= 0:
                break
            foreign -= 1
        end -= 1
    return address[:end]


def _text(content: str, level: int) -> Token:
    return Token("text", "", 0, content=content, level=level)
