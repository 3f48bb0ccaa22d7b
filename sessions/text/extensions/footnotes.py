"""Footnotes by number: `[^1]` in the text, and `[^1]: …` for the note, which stays in its place.

An answer is shown block by block while it grows, so a mark does not wait for its note.
"""

from __future__ import annotations

# ruff: noqa: FBT001, FBT003 (the signatures of rules are the parser's)
import re
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, paragraph
from markdown_it.rules_inline import StateInline

_MARK: Final = re.compile(r"\[\^(\d{1,3})\](?![(\[:])")
_NOTE: Final = re.compile(r"\[\^(\d{1,3})\]:[ \t]+(?=\S)")


def install(parser: MarkdownIt) -> None:
    """Let a parser know the notation."""
    parser.block.ruler.before("reference", "footnote", _read_note, {"alt": ["paragraph"]})
    parser.inline.ruler.before("link", "footnote_mark", _read_mark)


def _read_note(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    if state.is_code_block(start):
        return False
    begin = state.bMarks[start] + state.tShift[start]
    found = _NOTE.match(state.src, begin, state.eMarks[start])
    if found is None or silent:
        return found is not None
    paragraph(state, start, end, False)
    opening, inline = state.tokens[-3], state.tokens[-2]
    opening.attrSet("class", "footnote")
    inline.content = f"[^{found.group(1)}] {inline.content[found.end() - begin :]}"
    return True


def _read_mark(state: StateInline, silent: bool) -> bool:
    found = _MARK.match(state.src, state.pos, state.posMax)
    if found is None:
        return False
    if not silent:
        state.push("sup_open", "sup", 1)
        state.push("text", "", 0).content = f"[{found.group(1)}]"
        state.push("sup_close", "sup", -1)
    state.pos = found.end()
    return True
