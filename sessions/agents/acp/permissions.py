"""Permission requests that wait for an answer: a person's, or the end of the turn."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from acp.schema import AllowedOutcome, DeniedOutcome, PermissionOption, RequestPermissionResponse

from sessions.agents.acp.labels import short_id


class Permissions:
    """The open requests of one agent, by the id that the chat knows them by."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[str | None]] = {}
        # The agent's own ids of the options of each, by the ids that the chat has for them.
        self._own_ids: dict[str, dict[str, str]] = {}

    def open(self, perm_id: str, options: Sequence[PermissionOption]) -> None:
        """Note a request; from now on it can be answered."""
        self._waiting[perm_id] = asyncio.get_running_loop().create_future()
        self._own_ids[perm_id] = {short_id(o.option_id): o.option_id for o in options}

    async def outcome(self, perm_id: str) -> RequestPermissionResponse:
        """Wait for the answer to an open request and return it in ACP's words."""
        try:
            chosen = await self._waiting[perm_id]
            return outcome(self._own_ids[perm_id].get(chosen, chosen) if chosen else chosen)
        finally:
            del self._waiting[perm_id], self._own_ids[perm_id]

    def answer(self, perm_id: str, option_id: str | None) -> bool:
        """Answer a request; return False when it is not open any more."""
        waiting = self._waiting.get(perm_id)
        if waiting is None or waiting.done():
            return False
        waiting.set_result(option_id)
        return True

    def void(self) -> None:
        """Answer every open request with `cancelled`: the library does not do it."""
        for perm_id in list(self._waiting):
            self.answer(perm_id, None)


def outcome(option_id: str | None) -> RequestPermissionResponse:
    """Return ACP's answer to a permission request; None is `cancelled`."""
    if option_id is None:
        return RequestPermissionResponse(outcome=DeniedOutcome(outcome="cancelled"))
    return RequestPermissionResponse(
        outcome=AllowedOutcome(outcome="selected", option_id=option_id)
    )
