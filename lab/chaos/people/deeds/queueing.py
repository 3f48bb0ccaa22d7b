"""Prompts that wait, in a person's hand: edited, taken back, moved."""

from __future__ import annotations

import httpx

from lab.chaos.evidence import Json, QueueChange
from lab.chaos.people.hands import Hands


class Queueing:
    """Changes the queue of a chat as the device sees it; the view may be old. drawn: of a deed."""

    def __init__(self, hands: Hands) -> None:
        self._hands = hands

    async def edit(self, session_id: str, drawn: int) -> None:
        """Give a waiting prompt another text. A command gets one that does as much."""
        prompt = self._one(session_id, drawn)
        if prompt is None or "cut" in prompt:
            return
        version = prompt.get("version", 1)
        text = f"{prompt['text'].partition(' #')[0]} # {version + 1} by {drawn}"
        named = {"sessionId": session_id, "clientMsgId": prompt["clientMsgId"]}
        answer = await self._hands.post("edit", {**named, "text": text, "version": version})
        if answer is not None and answer.status == httpx.codes.OK:
            self._note(session_id, prompt, text, answer.body["version"])

    async def withdraw(self, session_id: str, drawn: int) -> None:
        """Take a waiting prompt back."""
        prompt = self._one(session_id, drawn)
        if prompt is None:
            return
        named = {"sessionId": session_id, "clientMsgId": prompt["clientMsgId"]}
        answer = await self._hands.post("unqueue", named)
        if answer is not None and answer.status == httpx.codes.OK:
            self._note(session_id, prompt, None, 0)

    async def reorder(self, session_id: str, drawn: int) -> None:
        """Let the waiting prompts run in another order."""
        names = [prompt["clientMsgId"] for prompt in self._hands.record.waiting(session_id)]
        if len(names) > 1:
            first = drawn % len(names)
            moved = [*names[first:], *names[:first]]
            await self._hands.post("reorder", {"sessionId": session_id, "clientMsgIds": moved})

    def _one(self, session_id: str, drawn: int) -> Json | None:
        waiting = self._hands.record.waiting(session_id)
        return waiting[drawn % len(waiting)] if waiting else None

    def _note(self, session_id: str, prompt: Json, text: str | None, version: int) -> None:
        change = QueueChange(session_id, prompt["clientMsgId"], text, version)
        self._hands.record.record.queue_changes.append(change)
