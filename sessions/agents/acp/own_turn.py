"""Turns that an agent begins by itself: their begin, their end, work in the background.

No message announces them, and only some agents tell the end. So one begins with the first words,
calls or requests that come while no prompt is open, and ends at a word of the agent or in silence.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from sessions.agents.acp.turn import Turn

Json = dict[str, Any]

# Silence that ends a turn of the agent's own: with nothing open, and with a call that still runs.
QUIET_S: Final = 5.0
RUNNING_QUIET_S: Final = 600.0
# How long an agent is taken to work in the background after its last word.
BACKGROUND_S: Final = 3600.0
CHECK_S: Final = 0.5


def tells_end(update: Json) -> bool:
    """Return whether an update says that the agent has nothing more to say."""
    meta = update.get("_meta")
    meta = meta if isinstance(meta, dict) else {}
    codex = meta.get("codex")
    status = codex.get("threadStatus") if isinstance(codex, dict) else None
    is_idle = isinstance(status, dict) and status.get("type") == "idle"
    return is_idle or "_claude/origin" in meta or update.get("state") == "idle"


class Silence:
    """Ends a turn of the agent's own that is silent. is_asking: whether a request waits."""

    def __init__(self, turn: Turn, *, is_asking: Callable[[], bool]) -> None:
        self._turn = turn
        self._is_asking = is_asking
        self._heard_at = time.monotonic()

    def heard(self) -> None:
        """Note a message of the agent."""
        self._heard_at = time.monotonic()

    async def end(self, finish: Callable[[], Awaitable[None]]) -> None:
        """Wait until the turn is over, by a word or by silence; then finish it."""
        while not self._turn.finished.is_set():
            if self._is_asking():
                self.heard()
            limit = RUNNING_QUIET_S if self._turn.tools.has_running else QUIET_S
            if time.monotonic() - self._heard_at >= limit:
                await finish()
                return
            await asyncio.sleep(CHECK_S)


class Background:
    """Work that an agent continues while no turn is open, as far as its calls tell.

    No message ends such work. A turn of the agent's own that it ends by a word is taken for the
    report on one. A request of that work, which ends in silence, and prompts of a person are none.
    """

    def __init__(self) -> None:
        self._works = 0
        self._until = 0.0

    @property
    def is_going(self) -> bool:
        """Whether the agent is taken to work."""
        return self._works > 0 and time.monotonic() < self._until

    def note(self, turn: Turn) -> None:
        """Take the end of a turn in: calls that go on, or were sent to the background.

        An interrupt ends all of it.
        """
        reported = 1 if turn.is_told_over else 0
        begun = turn.tools.background
        self._works = 0 if turn.is_interrupted else max(0, self._works - reported) + begun
        self._until = time.monotonic() + BACKGROUND_S
