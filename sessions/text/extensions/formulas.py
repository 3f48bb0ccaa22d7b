r"""Formulas stay their source: no emphasis and no escape in `$a_1$`, `$$…$$`, `\(…\)`, `\[…\]`.

Nothing draws them. A person copies them as they were written, and a program may draw them.
"""

from __future__ import annotations

import re
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline

# Each opening looks for its end so far, which bounds the cost of many that have none.
MAX_CHARS: Final = 2_000
_ENDS: Final = {"\\(": "\\)", "\\[": "\\]", "$$": "$$"}
# A price is none: behind the first sign and before the last one stands no space, then no digit.
_SHORT: Final = re.compile(r"\$(?=[^\s$])[^$\n]{0,2000}(?<=[^\s\\])\$(?!\d)")


def install(parser: MarkdownIt) -> None:
    """Let a parser know the notation."""
    parser.inline.ruler.before("escape", "formulas", _find)


def _find(state: StateInline, silent: bool) -> bool:  # noqa: FBT001 (the parser's form of a rule)
    end = _end_of(state.src, state.pos, state.posMax)
    if end is None:
        return False
    if not silent:
        state.pending += state.src[state.pos : end]
    state.pos = end
    return True


def _end_of(text: str, start: int, limit: int) -> int | None:
    """Return the place behind the formula that begins at start, None where there is none."""
    close = _ENDS.get(text[start : start + 2])
    if close is not None:
        at = text.find(close, start + 2, min(limit, start + MAX_CHARS))
        return None if at < 0 else at + 2
    found = _SHORT.match(text, start, limit)
    return None if found is None else found.end()
