"""Task lists: `- [ ] open` and `- [x] done` as boxes that cannot be pressed."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

_BOX: Final = re.compile(r"\[([ xX])\][ \t]+")


def install(parser: MarkdownIt) -> None:
    """Let a parser know the notation."""
    parser.core.ruler.push("tasks", _find)


def _find(state: StateCore) -> None:
    for (before, opening), (_, block) in pairwise(pairwise(state.tokens)):
        is_first = before.type == "list_item_open" and opening.type == "paragraph_open"
        if is_first and block.children and block.children[0].type == "text":
            _add_box(block.children)


def _add_box(children: list[Token]) -> None:
    first = children[0]
    found = _BOX.match(first.content)
    if found is None or (found.end() == len(first.content) and len(children) == 1):
        return
    first.content = first.content[found.end() :]
    is_done = found.group(1) != " "
    box = Token("task", "input", 0, attrs={"type": "checkbox", "disabled": ""})
    box.attrSet("aria-label", "done" if is_done else "open")
    if is_done:
        box.attrSet("checked", "")
    children.insert(0, box)
