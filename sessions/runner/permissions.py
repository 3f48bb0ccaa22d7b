"""The permission requests that one agent has open, each with its deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone

from sessions.agents.port import Agent, PermissionAsked
from sessions.core.conf import chat
from sessions.eventlog import drafts
from sessions.eventlog.events import CANCELLED, Draft, timestamp

DENY_KINDS = ("reject_once", "reject_always")


class OpenRequests:
    """Requests by id. expired(perm_id, decision) is called for one without an answer in time."""

    def __init__(self, expired: Callable[[str, str], None]) -> None:
        self._expired = expired
        self._open: dict[str, tuple[PermissionAsked, asyncio.TimerHandle]] = {}

    def open(self, asked: PermissionAsked) -> Draft:
        """Start the deadline of a request and return its event."""
        loop = asyncio.get_running_loop()
        timer = loop.call_later(chat.PERMISSION_TIMEOUT_S, self._expire, asked)
        self._open[asked.perm_id] = (asked, timer)
        expires = timezone.now() + timedelta(seconds=chat.PERMISSION_TIMEOUT_S)
        return drafts.permission_request(
            perm_id=asked.perm_id,
            tool_id=asked.tool_id,
            tool_name=asked.tool_name,
            title=asked.title,
            tool_input=asked.input,
            options=[
                {"id": option.id, "kind": option.kind, "label": option.label}
                for option in asked.options
            ],
            expires_at=timestamp(expires),
        )

    async def pass_on(self, agent: Agent, perm_id: str, decision: str) -> None:
        """Hand the agent the decision; a request that is not open any more is left alone."""
        found = self._open.pop(perm_id, None)
        if found is None:
            return
        asked, timer = found
        timer.cancel()
        is_offered = decision in {option.id for option in asked.options}
        await agent.answer(perm_id, decision if is_offered else None)

    def forget_all(self) -> None:
        """Drop every request: its turn is over."""
        for _, timer in self._open.values():
            timer.cancel()
        self._open.clear()

    def _expire(self, asked: PermissionAsked) -> None:
        denying = next((o.id for o in asked.options if o.kind in DENY_KINDS), CANCELLED)
        self._expired(asked.perm_id, denying)
