"""Watchers: the sessions whose watchers have changed, counted in the background."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine
from typing import Any, Final
from uuid import UUID

from transport.rows import pool, presence

logger = logging.getLogger(__name__)

# A reload closes one stream and opens the next: without this pause each would write "unwatched"
# and "watched" into the log.
LEAVE_GRACE_S: Final = 1.5


class Watchers:
    """The count of watchers, for all streams of a process together."""

    def __init__(self, errand: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        self._errand = errand
        self._uncounted: set[UUID] = set()
        self._leavers: set[UUID] = set()
        self._is_counting = False

    def refresh(self, session_ids: Collection[UUID] = ()) -> None:
        """Count the watchers of these sessions, and of those whose count has failed."""
        self._uncounted.update(session_ids)
        if self._uncounted and not self._is_counting:
            self._is_counting = True
            self._errand(self._count())

    def left(self, session_ids: Collection[UUID], *, is_soon: bool) -> None:
        """Count the watchers of sessions that a stream has left.

        is_soon: after a moment, by which a reload is back; otherwise by `count_all` alone.
        """
        self._leavers.update(session_ids)
        if session_ids and is_soon:
            self._errand(self._leave_later())

    async def count_all(self) -> None:
        """Count all waiting sessions, the ones just left included."""
        self._uncounted |= self._leavers
        await self._count()

    async def _leave_later(self) -> None:
        await asyncio.sleep(LEAVE_GRACE_S)
        leavers, self._leavers = self._leavers, set()
        self.refresh(leavers)

    async def _count(self) -> None:
        """Count until none waits: those that come while one count runs share the next.

        When a thousand clients come back at once, a count for each is most of the work; and an
        older count cannot overtake a newer one.
        """
        try:
            while self._uncounted:
                session_ids, self._uncounted = self._uncounted, set()
                try:
                    await pool.run(presence.refresh, session_ids)
                except Exception:
                    logger.exception("watchers were not counted")
                    self._uncounted |= session_ids
                    return
        finally:
            self._is_counting = False
