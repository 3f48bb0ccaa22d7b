"""The rendering of one turn's texts: charged to the turn, and never the reason for its end."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from sessions.text import markdown

logger = logging.getLogger(__name__)

# Of a processor's time. An answer of fifty pages takes a second; the rest of a longer one is shown
# as plain text.
BUDGET_S: Final = 5.0


class Rendering:
    """A renderer that answers None once it has cost its budget, and for a text that it fails on."""

    def __init__(
        self,
        render: Callable[[str], str] = markdown.render,
        *,
        budget_s: float = BUDGET_S,
        clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self._render = render
        self._left_s = budget_s
        self._clock = clock

    def html(self, text: str) -> str | None:
        """Return the HTML of a text; None: show it as plain text. Never raises."""
        if self._left_s <= 0:
            return None
        started = self._clock()
        try:
            return self._render(text) or None
        except Exception:
            logger.exception("a text was not rendered", extra={"chars": len(text)})
            return None
        finally:
            self._left_s -= self._clock() - started
