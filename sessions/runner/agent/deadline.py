"""The time of one open request: half-way it is told once more, at the end it expires."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from django.utils import timezone

from sessions.eventlog.events import timestamp

HALF: Final = 0.5


class Deadline:
    """The running time of a request. wait_s None: until it is answered."""

    def __init__(
        self, wait_s: float | None, *, remind: Callable[[], None], expire: Callable[[], None]
    ) -> None:
        self.expires_at: str | None = None
        self._timers: list[asyncio.TimerHandle] = []
        if wait_s is not None:
            loop = asyncio.get_running_loop()
            self.expires_at = timestamp(timezone.now() + timedelta(seconds=wait_s))
            self._timers = [
                loop.call_later(wait_s * HALF, remind),
                loop.call_later(wait_s, expire),
            ]

    def cancel(self) -> None:
        """Stop the time: the request is answered, or its turn is over."""
        for timer in self._timers:
            timer.cancel()
