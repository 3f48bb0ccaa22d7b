"""Prompts that a person at a terminal sends now: each stops the answer and goes next."""

from __future__ import annotations

from typing import Any

import httpx

from sessions.core.tasks import TaskSet
from transport.client import Prompt, PromptState
from transport.terminal.desk import Desk


class Urgent:
    """A prompt goes by the outbox first, so that no failure of the stop can lose it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._tasks = TaskSet()

    def add(self, prompt: Prompt) -> None:
        """Let a prompt go next once the server has it, in place of the turn that runs now."""
        turn_id = self._desk.screen.standing.turn_id
        self._tasks.start(self._bring_forward(prompt, turn_id), name="send now")

    async def end(self) -> None:
        """End what is under way; a prompt that was not brought forward waits its turn."""
        await self._tasks.end()

    async def _bring_forward(self, prompt: Prompt, turn_id: str | None) -> None:
        if await prompt.settled() is not PromptState.ACCEPTED:
            return
        named: dict[str, Any] = {"turnId": turn_id} if turn_id else {}
        facts = {"sessionId": prompt.session_id, "clientMsgId": prompt.client_msg_id, **named}
        try:
            answer = await self._desk.client.command("interrupt", **facts)
        except (httpx.HTTPError, TimeoutError) as exc:
            self._desk.say(f"! The stop did not reach the server, so the prompt waits: {exc}")
            return
        # The agent may have taken it meanwhile.
        if answer.body.get("code") != "dispatched":
            self._desk.failed(answer)
