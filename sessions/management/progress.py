"""The progress of a long command: a bar on a terminal, now and then a line in a log."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TextIO

BAR_CHARS: Final = 30
# A terminal is drawn so often, a log gets a line so often.
DRAW_S: Final = 0.2
LINE_S: Final = 10.0


class Progress:
    """How far a command has come, of a total that it knows before; use it as a context."""

    def __init__(
        self, total: int, unit: str, out: TextIO, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._total = max(total, 1)
        self._unit = unit
        self._out = out
        self._clock = clock
        self._is_terminal = out.isatty()
        self._every_s = DRAW_S if self._is_terminal else LINE_S
        self._began = self._shown = clock()
        self._was_shown = False

    def at(self, done: int) -> None:
        """Show that so much is done, unless the last showing was a moment ago."""
        now = self._clock()
        if now - self._shown < self._every_s:
            return
        self._shown, self._was_shown = now, True
        share = min(1.0, done / self._total)
        line = f"{share:4.0%} {done:,} of {self._total:,} {self._unit}{self._left(share, now)}"
        if self._is_terminal:
            bar = "#" * round(share * BAR_CHARS)
            # \x1b[K: erase the rest of a longer line.
            self._out.write(f"\r[{bar:<{BAR_CHARS}}] {line}\x1b[K")
        else:
            self._out.write(f"{line}\n")
        self._out.flush()

    def close(self) -> None:
        """End the bar's line."""
        if self._was_shown and self._is_terminal:
            self._out.write("\n")
            self._out.flush()

    def _left(self, share: float, now: float) -> str:
        """Return the time that is left at the speed so far."""
        if not share or share == 1:
            return ""
        left_s = (now - self._began) * (1 - share) / share
        return f", {left_s / 60:.0f} min left" if left_s >= 90 else f", {left_s:.0f} s left"
