"""The pause of an outbox: its reason, its end, and the wait until there is something to do."""

from __future__ import annotations

import asyncio
from contextlib import suppress


class Pause:
    """Sending pauses for a reason (retry, connection or login), or not at all."""

    def __init__(self) -> None:
        self.why: str | None = None
        # Ordered by Retry-After: nothing shortens it.
        self.is_ordered = False
        # By the loop's clock; None: until it is ended from outside.
        self._until: float | None = None
        self._news = asyncio.Event()

    def begin(self, why: str, for_s: float | None, *, is_ordered: bool = False) -> None:
        """Pause. for_s None: until `end`."""
        self.why, self.is_ordered = why, is_ordered
        self._until = None if for_s is None else asyncio.get_running_loop().time() + for_s

    def forget(self) -> None:
        """End the pause, without waking its waiter."""
        self.why, self.is_ordered, self._until = None, False, None

    def end(self) -> None:
        """End the pause, and wake its waiter."""
        self.forget()
        self.wake()

    @property
    def lasts(self) -> bool:
        """Whether nothing may be sent now."""
        if self.why is None:
            return False
        return self._until is None or asyncio.get_running_loop().time() < self._until

    def wake(self) -> None:
        """Wake the waiter: there is something to look at."""
        self._news.set()

    def look(self) -> None:
        """Look at everything that has come: `over` waits for later news."""
        self._news.clear()

    async def over(self) -> None:
        """Wait until the pause is over or there is news."""
        if self._until is None:
            await self._news.wait()
            return
        delay_s = self._until - asyncio.get_running_loop().time()
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, delay_s)):
                await self._news.wait()
