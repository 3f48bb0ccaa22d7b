"""The stops that people asked for: of a turn, of a waiting prompt, of all that waits."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from functools import partial

from sessions.control import prompts
from sessions.control.prompts import AcceptedPrompt
from sessions.core.db import retry_while_down
from sessions.eventlog.events import LoggedEvent
from sessions.eventlog.lease import Lease


class StopRequests:
    """The turns and prompts of one session that are to stop, perhaps before an agent had them."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._grew = asyncio.Event()
        # A stop means every prompt before this seq; they are refused between turns.
        self.before = 0

    def add(self, request: LoggedEvent) -> None:
        """Take an interrupt_requested in."""
        payload = request.payload
        if payload["stop"]:
            self.before = request.seq
        self._ids.update(payload[key] for key in ("turnId", "clientMsgId") if key in payload)
        self._grew.set()

    def mean_one_of(self, ids: Collection[str]) -> bool:
        """Return whether a turn or prompt of these ids is to stop."""
        return not self._ids.isdisjoint(ids)

    def mean(self, prompt: AcceptedPrompt) -> bool:
        """Return whether a waiting prompt is to stop, by its id or with all that waits."""
        return prompt.client_msg_id in self._ids or prompt.seq < self.before

    async def until_one_of(self, ids: Collection[str]) -> None:
        """Wait until a turn or prompt of these ids is to stop, or all that runs."""
        while not self.mean_one_of(ids):
            self._grew.clear()
            await self._grew.wait()

    async def until_meant(self, prompt: AcceptedPrompt) -> None:
        """Wait until a waiting prompt is to stop."""
        while not self.mean(prompt):
            self._grew.clear()
            await self._grew.wait()

    async def refuse_waiting(self, lease: Lease) -> None:
        """End the prompts that wait and are to stop, between turns."""
        before = self.before
        refuse = partial(prompts.refuse_waiting, lease, before=before)
        # A later stop may come meanwhile.
        if before and await retry_while_down(refuse) and self.before == before:
            self.before = 0
