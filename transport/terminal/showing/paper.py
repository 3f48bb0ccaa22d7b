"""The paper of a terminal: lines and growing texts, drawn for the width of its window."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from sessions.text.flow import Flow
from sessions.text.output import Output
from sessions.text.visible import visible
from transport.terminal.showing import prose
from transport.terminal.showing.tones import CODES, Prose, tone_of

Write = Callable[[str], None]
# A wrapped line continues behind this sign: no text of an agent begins a line of its own so.
NEXT_ROW: Final = "  ┆ "
# Wrapping helps nobody in a smaller window.
MIN_WIDTH: Final = 24
SIGN: Final = "> "
_PLAIN: Final = "\033[0m"


class Paper:
    """Writes for one terminal. width: of its window, now; None where a program reads."""

    def __init__(
        self,
        write: Write,
        *,
        has_colours: bool = False,
        width: Callable[[], int] | None = None,
    ) -> None:
        self._to = write
        self._flow = Flow(self._write)
        self._has_colours = has_colours
        self._width = width
        self._has_sign = False

    @property
    def is_drawn(self) -> bool:
        """Whether Markdown is drawn."""
        return self._has_colours and self._width is not None

    def line(self, text: str) -> None:
        """Write a line of its own."""
        self.end()
        self._write(f"{self._drawn(text)}\n")

    def add(self, piece: str) -> None:
        """Write a piece of a longer text."""
        self._flow.add(piece)

    def end(self) -> None:
        """End the line that pieces have begun."""
        self._flow.end()

    def sign(self) -> None:
        """Show that a line may be typed; once, until one is typed or another is written."""
        if self._width is not None and not self._has_sign:
            self.end()
            self._to(SIGN)
            self._has_sign = True

    def typed(self) -> None:
        """Note that a person has ended the line behind the sign."""
        self._has_sign = False

    def _write(self, text: str) -> None:
        if self._has_sign:
            # The words that a person has typed meanwhile stay on the screen.
            self._has_sign = False
            self._to("\n")
        self._to(text)

    def _drawn(self, text: str) -> str:
        if isinstance(text, Output):
            return text.drawn(has_colours=self._has_colours)
        if isinstance(text, Prose) and self.is_drawn:
            return prose.drawn(text, self._columns())
        shown = visible(text)
        if self._width is not None:
            shown = "\n".join(_rows(shown, self._columns()))
        code = CODES.get(tone_of(text)) if self._has_colours else None
        return f"\033[{code}m{shown}{_PLAIN}" if code else shown

    def _columns(self) -> int:
        return self._width() if self._width is not None else 0


def _rows(shown: str, width: int) -> Iterator[str]:
    """Yield visible text in rows of a width, broken between words; each character is kept."""
    for line in shown.split("\n"):
        if width < MIN_WIDTH or cell_len(line.expandtabs()) <= width:
            yield line
            continue
        console = Console(file=io.StringIO(), width=width, _environ={})
        # The last column stays free: some terminals begin a new row behind it.
        rows = Text(line, end="").wrap(
            console, width - len(NEXT_ROW) - 1, overflow="fold", tab_size=8
        )
        first, *others = (row.plain for row in rows)
        yield first
        yield from (f"{NEXT_ROW}{row}" for row in others)
