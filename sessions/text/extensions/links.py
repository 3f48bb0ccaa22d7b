"""Links: bare addresses become some, and a link that leads nowhere becomes text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

_LINK: Final = re.compile(r"https?://[^\s<>\"'`\\^{}|]+")
_HOST: Final = re.compile(r"(?:[\w.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?", re.ASCII)
# The mark of an image in a link, in the meta of its token.
_LINKED: Final = "linked"
_TAIL: Final = frozenset(".,;:!?*_~)]")


def install(parser: MarkdownIt) -> None:
    """Let a parser know bare addresses, and only addresses that a reader can follow."""
    parser.core.ruler.push("links", _find)


def leads(address: str) -> bool:
    """Return whether a link may lead there: a relative one leads into this site."""
    return address.lower().startswith(("http://", "https://", "mailto:"))


def host_of(address: str) -> str:
    """Return the host of a web address, with its port; "" where it has none that is sound."""
    try:
        parts = urlsplit(address)
    except ValueError:  # a bracket that is not closed
        return ""
    host = parts.netloc.rpartition("@")[2].lower()
    return host if parts.scheme in {"http", "https"} and _HOST.fullmatch(host) else ""


def is_linked(image: Token) -> bool:
    """Return whether an image stands in a link."""
    return bool(image.meta.get(_LINKED))


def _find(state: StateCore) -> None:
    for block in state.tokens:
        if block.type == "inline" and block.children:
            if any(child.type == "link_open" for child in block.children):
                block.children = list(_leading(block.children))
            if "://" in block.content:
                block.children = list(_with_links(block.children))


def _leading(children: list[Token]) -> Iterator[Token]:
    """Yield the tokens; of a link that leads nowhere its text, and its address in brackets.

    The images of the other links are marked.
    """
    lost = ""
    shown = ""
    is_inside = False
    for child in children:
        if child.type in {"link_open", "link_close"}:
            is_inside = child.type == "link_open" and leads(str(child.attrGet("href") or ""))
        elif child.type == "image" and is_inside:
            child.meta[_LINKED] = True
        if child.type == "link_open" and not is_inside:
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
