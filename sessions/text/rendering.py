"""The rendering of one turn's texts: charged to turn and session, never the reason for an end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from typing import Final

from sessions.core.conf import chat
from sessions.limits.buckets import TokenBuckets
from sessions.text import growing
from sessions.text.process import NotRendered, renderer

logger = logging.getLogger(__name__)

# Of a processor's time. An answer of fifty pages takes a second; the rest of a longer one is shown
# as plain text.
BUDGET_S: Final = 5.0
# A text of so many characters costs less here than the way to the process and back: 0.7 ms at
# most. Code is coloured there alone.
SMALL_CHARS: Final = 256
_FENCES: Final = ("```", "~~~")

seconds_of_sessions: Final = TokenBuckets(lambda: chat.RENDER_S_PER_MINUTE)


def is_small(text: str) -> bool:
    """Return whether a text is rendered at once, on the event loop too."""
    return len(text) <= SMALL_CHARS and not any(fence in text for fence in _FENCES)


def render(text: str) -> str:
    """Return the HTML of a text, "" for plain text. Raises NotRendered."""
    return growing.render(text) if is_small(text) else renderer.render(text)


class Rendering:
    """A renderer that answers None once it has cost its budget, and for a text that it fails on.

    session: the key of the budget for each minute; None: there is none.
    """

    def __init__(
        self,
        render: Callable[[str], str] = render,
        *,
        budget_s: float = BUDGET_S,
        clock: Callable[[], float] = renderer.clock,
        session: Hashable | None = None,
    ) -> None:
        self._render = render
        self._left_s = budget_s
        self._clock = clock
        self._session = session

    def html(self, text: str) -> str | None:
        """Return the HTML of a text; None: show it as plain text. Never raises."""
        if self._left_s <= 0 or not self._session_may():
            return None
        started = self._clock()
        try:
            return self._render(text) or None
        except NotRendered as exc:
            facts = {"chars": len(text), "why": str(exc), "session": str(self._session)}
            logger.warning("a text is shown as plain text", extra=facts)
            return None
        except Exception:
            logger.exception("a text was not rendered", extra={"chars": len(text)})
            return None
        finally:
            self._charge(self._clock() - started)

    def _session_may(self) -> bool:
        return self._session is None or seconds_of_sessions.has_any(self._session)

    def _charge(self, cost_s: float) -> None:
        self._left_s -= cost_s
        if self._session is not None:
            seconds_of_sessions.charge(self._session, cost_s)
