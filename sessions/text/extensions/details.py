"""Parts that open: from a line `<details>` to a line `</details>`, with Markdown between.

A part with its summary may also stand in one line, with the text of a paragraph.
One without an end reaches to the end of its surroundings, as a code block does. So a text that
grows is read alike, however it was cut.
"""

from __future__ import annotations

# ruff: noqa: FBT001 (the signatures of rules are the parser's)
import re
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock

_BEGIN: Final = re.compile(
    r"<details(?: open)?>[ \t]*(?:<summary>(.*)</summary>)?[ \t]*", re.IGNORECASE
)
_SUMMARY: Final = re.compile(r"<summary>(.*)</summary>[ \t]*", re.IGNORECASE)
_SUMMARY_END: Final = re.compile(r"</summary>", re.IGNORECASE)
_END: Final = re.compile(r"</details>[ \t]*", re.IGNORECASE)
_IN_ONE_LINE: Final = re.compile(r"<details(?: open)?>[ \t]*<summary>", re.IGNORECASE)
_INTERRUPTED: Final = ["paragraph", "reference", "blockquote", "list"]
_CODE_INDENT: Final = 4


def install(parser: MarkdownIt) -> None:
    """Let a parser know the notation."""
    parser.block.ruler.before("reference", "details", _read, {"alt": _INTERRUPTED})


def _read(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    if state.is_code_block(start):
        return False
    text = _line(state, start)
    if (whole := _in_one_line(text)) is not None:
        if not silent:
            _add_one_line(state, start, *whole)
        return True
    begun = _BEGIN.fullmatch(text)
    if begun is None or silent:
        return begun is not None
    inside, last = start + 1, _last_line(state, start, end)
    title = begun.group(1)
    if title is None and inside < last and (named := _SUMMARY.fullmatch(_line(state, inside))):
        title, inside = named.group(1), inside + 1
    state.push("details_open", "details", 1).map = [start, min(last + 1, end)]
    _add_summary(state, start, (title or "").strip() or "Details")
    line_max, parent = state.lineMax, state.parentType
    state.lineMax, state.parentType = last, "details"
    state.md.block.tokenize(state, inside, last)
    state.lineMax, state.parentType = line_max, parent
    state.push("details_close", "details", -1)
    state.line = min(last + 1, end)
    return True


def _in_one_line(text: str) -> tuple[str, str] | None:
    """Return the title and the text of a part that stands in one line."""
    text = text.rstrip(" \t")
    begun, closed = _IN_ONE_LINE.match(text), _SUMMARY_END.search(text)
    before, end, more = text.lower().partition("</details>")
    if not begun or not closed or not end or more or "<details" in before[begun.end() :]:
        return None
    return text[begun.end() : closed.start()], text[closed.end() : len(before)]


def _add_one_line(state: StateBlock, line: int, title: str, text: str) -> None:
    place = [line, line + 1]
    state.push("details_open", "details", 1).map = place
    _add_summary(state, line, title.strip() or "Details")
    if text.strip():
        state.push("paragraph_open", "p", 1).map = place
        token = state.push("inline", "", 0)
        token.content, token.map, token.children = text.strip(), place, []
        state.push("paragraph_close", "p", -1)
    state.push("details_close", "details", -1)
    state.line = line + 1


def _add_summary(state: StateBlock, line: int, title: str) -> None:
    state.push("summary_open", "summary", 1)
    token = state.push("inline", "", 0)
    token.content, token.map, token.children = title, [line, line + 1], []
    state.push("summary_close", "summary", -1)


def _last_line(state: StateBlock, start: int, end: int) -> int:
    """Return the line that closes the part, or the one behind its surroundings."""
    depth = 1
    for line in range(start + 1, end):
        if not state.isEmpty(line) and state.sCount[line] < state.blkIndent:
            return line  # out of the list item
        text = _line(state, line)
        if not text.startswith("<") or state.sCount[line] - state.blkIndent >= _CODE_INDENT:
            continue
        depth += (_BEGIN.fullmatch(text) is not None) - (_END.fullmatch(text) is not None)
        if not depth:
            return line
    return end


def _line(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]
