"""Markdown drawn for a terminal, by rich. Nothing in it moves the screen or hides its target."""

from __future__ import annotations

import io
import re
import time
from collections.abc import Iterable, Iterator
from typing import ClassVar, Final

from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.console import Console, ConsoleOptions, JustifyMethod, RenderResult
from rich.markdown import CodeBlock, Markdown, MarkdownElement, TableDataElement
from rich.text import Text
from rich.theme import Theme

from sessions.text import highlight, markdown
from sessions.text.visible import visible
from transport.terminal.showing.blocks import GrowingBlocks

# Narrower windows get the text as it is.
MIN_WIDTH: Final = 24
# Columns of a window for one of a table.
MIN_CELL: Final = 6
# The parser leaves out what lies deeper than maxNesting.
MAX_DEPTH: Final = 16
COLOUR_S: Final = 0.1
# Spaces that only fill a row.
_FILL: Final = re.compile(r" +((?:\x1b\[[\d;]*m)*)$", re.MULTILINE)
_STYLES: Final = {
    "code-keyword": "magenta",
    "code-string": "green",
    "code-comment": "bright_black",
    "code-number": "cyan",
    "code-function": "blue",
    "code-class": "blue",
    "code-builtin": "cyan",
    "code-tag": "blue",
    "code-attribute": "cyan",
    "code-inserted": "green",
    "code-deleted": "red",
    "code-heading": "bold",
}
# The background stays that of the terminal, light or dark.
_THEME: Final = Theme({"markdown.code": "cyan", "markdown.h1": "bold", "markdown.h2": "bold"})
_parser: Final = MarkdownIt("commonmark", {"html": False, "maxNesting": 40}).enable(
    ["table", "strikethrough"]
)


def drawn(text: str, width: int) -> str:
    """Return a text as rows of a width, without the last line end.

    The only controls in it are those of colours, whatever comes in.
    """
    growing = GrowingBlocks()
    return "\n\n".join(_block(each, width) for each in [*growing.add(text), *growing.close()])


def _block(source: str, width: int) -> str:
    document = _Document(source) if markdown.weight(source) <= markdown.MAX_WEIGHT else None
    if document is None or not document.fits(width):
        return visible(source).strip("\n")
    console = Console(
        file=io.StringIO(),
        width=width - 1,
        force_terminal=True,
        color_system="standard",
        theme=_THEME,
        legacy_windows=False,
        _environ={},
    )
    with console.capture() as rows:
        console.print(document, crop=False)
    return _FILL.sub(r"\1", rows.get()).strip("\n")


class _Code(CodeBlock):
    """Code in the colours of the page, its lines unbroken: they are copied."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the lines, two columns to the right."""
        code = str(self.text).rstrip("\n")
        runs = highlight.runs(code, self.lexer_name, deadline=time.thread_time() + COLOUR_S)
        text = Text()
        for kind, piece in runs if runs is not None else [("", code)]:
            text.append(piece, _STYLES.get(kind, "none"))
        unbroken = options.update(no_wrap=True, overflow="ignore")
        for line in text.split("\n", allow_blank=True):
            yield from console.render(Text("  ").append_text(line), unbroken)


class _Cell(TableDataElement):
    """A cell whose long words are broken, not cut."""

    def __init__(self, justify: JustifyMethod) -> None:
        super().__init__(justify)
        self.content.overflow = "fold"


class _Document(Markdown):
    """Markdown whose tokens are made visible: a reference may stand for any character."""

    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "fence": _Code,
        "code_block": _Code,
        "td_open": _Cell,
        "th_open": _Cell,
    }

    def __init__(self, source: str) -> None:
        super().__init__("", hyperlinks=False)
        self.parsed = list(_shown(_parser.parse(source)))

    def fits(self, width: int) -> bool:
        """Return whether a window has room for its depth and its columns: else words are lost."""
        depth = max((token.level for token in self.parsed), default=0)
        columns = sum(token.type == "th_open" for token in self.parsed)
        return width >= MIN_WIDTH + 2 * depth + MIN_CELL * columns and depth <= MAX_DEPTH


def _shown(tokens: Iterable[Token]) -> Iterator[Token]:
    for token in tokens:
        token.content = visible(token.content)
        if token.children and token.type == "inline":
            token.children = list(_inline(token.children))
        yield token


def _inline(tokens: Iterable[Token]) -> Iterator[Token]:
    """Yield tokens without images, and without links that only repeat their text."""
    for token in tokens:
        token.content = visible(token.content)
        token.attrs = {
            name: visible(value) if isinstance(value, str) else value
            for name, value in token.attrs.items()
        }
        if token.markup == "autolink" and token.type.startswith("link_"):
            continue
        if token.type == "image":
            yield Token("text", "", 0, content=f"[image: {token.content}] ({token.attrs['src']})")
        else:
            yield token
