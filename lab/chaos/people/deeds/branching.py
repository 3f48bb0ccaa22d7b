"""Chats in worktrees of one repository: begun, worked in, merged, kept, discarded."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lab.chaos.people.hands import Hands

# Each takes an agent, and a place among the watched ones.
MOST: Final = 3
FIRST: Final = "/run echo {id} > {id}.txt && git add -A && git commit -qm {id}"


class Branching:
    """Works on branches of a repository, each with a chat of its own."""

    def __init__(self, hands: Hands, repository: Path) -> None:
        self._hands = hands
        self._repository = repository
        self._drafts: dict[str, str] = {}

    def begin(self) -> None:
        """Begin a chat in a worktree."""
        name = self._hands.new_id()
        if len(self._drafts) >= MOST:
            return
        self._drafts[name] = name
        wanted = {"branch": f"work/{name}", "from": "main"}
        options = {"draft": name, "worktree": wanted, "cwd": str(self._repository)}
        self._hands.write(FIRST, client_msg_id=name, **options)

    def work(self, drawn: int) -> None:
        """Commit once more in the worktree of a chat."""
        name = self._hands.new_id()
        session_id = self._one(drawn)
        if session_id is not None:
            self._hands.write(FIRST, client_msg_id=name, session_id=session_id)

    async def merge(self, drawn: int) -> None:
        """Merge a branch into the folder of the repository."""
        session_id = self._one(drawn)
        if session_id is not None:
            await self._hands.change(f"/api/sessions/{session_id}/worktree/merge")

    async def discard(self, drawn: int) -> None:
        """Remove a worktree with all that is lost then, or keep it."""
        session_id = self._one(drawn)
        if session_id is None:
            return
        place = f"/api/sessions/{session_id}/worktree"
        losses = (await self._hands.read(place)).get("losses")
        if drawn % 3 == 0:
            await self._hands.change(f"{place}/keep")
        elif losses:
            await self._hands.change(f"{place}/discard", digest=losses["digest"])

    def _one(self, drawn: int) -> str | None:
        prompts = self._hands.record.record.prompts
        made = [prompts[name].session_id for name in self._drafts if name in prompts]
        known = [session_id for session_id in made if session_id is not None]
        return known[drawn % len(known)] if known else None
