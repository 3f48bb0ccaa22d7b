"""The way to a runner of this process past the log, for the time in which the log has no room.

Stopping an agent must work while the disk is full, since the agent may be the cause. The
runner ends the turn at once and records the end when there is room again.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol
from uuid import UUID


class Stopper(Protocol):
    """A runner, as far as it stops sessions without the log."""

    async def stop_now(self, session_id: UUID, *, turn_id: str | None, end_agent: bool) -> bool:
        """End the running turn, and the agent too; return whether there was a turn to end.

        turn_id: that turn alone is meant. Raises LookupError when the session is not held here.
        """
        ...

    async def close_now(self, session_id: UUID) -> None:
        """Let the agent end after its turn. Raises LookupError like stop_now."""
        ...


class Stoppers:
    """The runners of this process, each with the event loop that it runs on."""

    def __init__(self) -> None:
        self._known: dict[Stopper, asyncio.AbstractEventLoop] = {}

    def add(self, stopper: Stopper) -> None:
        """Make a runner known; called on its loop."""
        self._known[stopper] = asyncio.get_running_loop()

    def discard(self, stopper: Stopper) -> None:
        """Forget a runner."""
        self._known.pop(stopper, None)

    @property
    def are_here(self) -> bool:
        """Whether this process runs agents."""
        return bool(self._known)

    async def stop_now(self, session_id: UUID, *, turn_id: str | None, end_agent: bool) -> bool:
        """Stop a session like Stopper.stop_now. Raises LookupError when no runner here holds it."""
        for stopper in [*self._known]:
            try:
                return await stopper.stop_now(session_id, turn_id=turn_id, end_agent=end_agent)
            except LookupError:
                continue
        raise LookupError(session_id)

    def close_now(self, session_id: UUID) -> None:
        """Close a session, from any thread. Raises LookupError when no runner here holds it."""
        for stopper, loop in [*self._known.items()]:
            asked = asyncio.run_coroutine_threadsafe(stopper.close_now(session_id), loop)
            try:
                return asked.result(timeout=10)
            except LookupError:
                continue
        raise LookupError(session_id)


stoppers: Final = Stoppers()
