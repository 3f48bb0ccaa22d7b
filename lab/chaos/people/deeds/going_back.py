"""Going back: a person restores the files of a chat, takes messages back, and undoes both."""

from __future__ import annotations

from lab.chaos.evidence import Json
from lab.chaos.people.hands import WORK_TIMEOUT_S, Hands


class GoingBack:
    """Goes back to a prompt, or to the moment before an earlier return."""

    def __init__(self, hands: Hands) -> None:
        self._hands = hands

    async def restore(self, session_id: str, drawn: int) -> None:
        """Restore the files of a prompt, sometimes with its messages."""
        prompts = [p for p in self._hands.record.messages(session_id) if p.get("checkpointId")]
        if prompts:
            to = prompts[drawn % len(prompts)]["seq"]
            await self._go(session_id, to, {"files": True, "chat": drawn % 4 == 0})

    async def undo(self, session_id: str, drawn: int) -> None:
        """Restore the files from before a restore."""
        messages = self._hands.record.messages(session_id)
        returns = [told for told in messages if told.get("code") == "restored"]
        if returns:
            await self._go(session_id, returns[drawn % len(returns)]["seq"], {"files": True})

    async def _go(self, session_id: str, to: int, parts: Json) -> None:
        body = {"sessionId": session_id, "to": to, **parts}
        await self._hands.post("rewind", body, timeout_s=WORK_TIMEOUT_S)
