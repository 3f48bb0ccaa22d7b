"""Read marks: a terminal that shows an answer tells the person's other devices."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

import httpx

from sessions.core.tasks import TaskSet
from transport.client import Client
from transport.terminal.showing.screen import Frame

# Behind these there may be something to read.
_READ: Final = frozenset({"turn_end", "session_snapshot"})


class ReadMarks:
    """Marks the sessions whose frames a terminal has shown."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._tasks = TaskSet()

    def shown(self, frame: Frame) -> None:
        """Mark the session as read up to a frame, in the background."""
        if frame["type"] in _READ:
            self._tasks.start(self._mark(frame), name="read mark")

    async def end(self) -> None:
        """End the marks that are under way."""
        await self._tasks.end()

    async def _mark(self, frame: Frame) -> None:
        path = f"/api/sessions/{frame['sessionId']}/read"
        # A mark that does not arrive is made up for by that of the next answer.
        with suppress(httpx.HTTPError, TimeoutError):
            await self._client.put(path, seq=frame.get("seq", frame.get("cursor")))
