"""Ctrl+C at a terminal: the first stops the answer, the second leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import httpx

from sessions.core.tasks import TaskSet
from transport.terminal.desk import Desk

# Two that come so close are meant as one wish: to leave.
TOGETHER_S: Final = 1.0


class Leaving:
    """Counts presses. leave: ends the terminal; is_waiting: a prompt has no answer yet."""

    def __init__(
        self, desk: Desk, *, leave: Callable[[], None], is_waiting: Callable[[], bool]
    ) -> None:
        self._desk = desk
        self._leave = leave
        self._is_waiting = is_waiting
        self._tasks = TaskSet()
        self._pressed_at: float | None = None
        self._meant: str | None = None

    def pressed(self) -> None:
        """Take a press."""
        now = asyncio.get_running_loop().time()
        turn_id = self._desk.screen.standing.turn_id
        is_another_turn = turn_id is not None and turn_id != self._meant
        is_first = self._pressed_at is None
        if not is_first and not (is_another_turn and now - (self._pressed_at or 0) > TOGETHER_S):
            self._leave()
            return
        self._pressed_at, self._meant = now, turn_id
        if self._desk.session_id is None or (turn_id is None and not self._is_waiting()):
            self._desk.say("[no answer runs; Ctrl+C again leaves]")
        else:
            self._desk.say("[stopping the answer; Ctrl+C again leaves]")
            self._tasks.start(self._stop(self._desk.session_id, turn_id), name="interrupt")

    def typed(self) -> None:
        """Note that a person has typed a line: the next press is a first one."""
        self._pressed_at = None

    async def end(self) -> None:
        """End a stop that is under way."""
        await self._tasks.end()

    async def _stop(self, session_id: str, turn_id: str | None) -> None:
        named: dict[str, Any] = {"turnId": turn_id} if turn_id else {}
        try:
            answer = await self._desk.client.command("interrupt", sessionId=session_id, **named)
        except (httpx.HTTPError, TimeoutError) as exc:
            self._desk.say(f"! The stop did not reach the server: {exc}")
            return
        if not self._desk.failed(answer) and not answer.body["interrupted"]:
            self._desk.say(f"[not stopped: {answer.body.get('code', 'no reason was given')}]")
