"""The permission requests that one agent has open, each with its deadline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from sessions.agents.port import REJECTS, Agent, PermissionAsked, PermissionOption, ToolDone
from sessions.eventlog import drafts
from sessions.eventlog.events import CANCELLED, Draft
from sessions.eventlog.shown import digest_of
from sessions.runner.agent import attachments
from sessions.runner.agent.deadline import Deadline
from sessions.runner.agent.offer import offered


class OpenRequests:
    """Requests by id.

    expired(perm_id, decision) is called for one without an answer in time, remind(perm_id) after
    half of that.
    """

    def __init__(self, expired: Callable[[str, str], None], remind: Callable[[str], None]) -> None:
        self._expired = expired
        self._remind = remind
        self._open: dict[str, tuple[PermissionAsked, Deadline]] = {}
        self._rejected: set[str] = set()

    def open(
        self, asked: PermissionAsked, *, wait_s: float | None, html: str | None = None
    ) -> Draft:
        """Start the deadline of a request and return its event; wait_s None: without an end.

        html: its plan, rendered.
        """
        options = offered(asked)
        deadline = Deadline(
            wait_s,
            remind=partial(self._remind, asked.perm_id),
            expire=partial(self._expire, asked.perm_id, options),
        )
        self._open[asked.perm_id] = (asked, deadline)
        request = partial(
            drafts.permission_request,
            perm_id=asked.perm_id,
            tool_id=asked.tool_id,
            tool_name=asked.tool_name,
            tool_kind=asked.tool_kind,
            title=asked.title,
            tool_input=asked.input,
            options=[
                {"id": option.id, "kind": option.kind, "label": option.label} for option in options
            ],
            expires_at=deadline.expires_at,
            diffs=attachments.diffs(asked.shown),
            locations=attachments.locations(asked.shown),
        )
        return request(digest=digest_of(request().payload), html=html)

    async def pass_on(self, agent: Agent, perm_id: str, decision: str, message: str = "") -> None:
        """Hand the agent the decision; a request that is not open any more is left alone."""
        found = self._open.pop(perm_id, None)
        if found is None:
            return
        asked, deadline = found
        deadline.cancel()
        self._note(asked, decision)
        is_offered = decision in {option.id for option in asked.options}
        await agent.answer(perm_id, decision if is_offered else None, message)

    @property
    def is_any_open(self) -> bool:
        """Whether a request waits."""
        return bool(self._open)

    def outcome(self, done: ToolDone) -> ToolDone:
        """Return the outcome of a call; the failure of one that a person rejected says so."""
        if done.status == "failed" and done.tool_id in self._rejected:
            return replace(done, status="rejected")
        return done

    def forget_all(self) -> None:
        """Drop every request: its turn is over."""
        self._rejected.clear()
        for _, deadline in self._open.values():
            deadline.cancel()
        self._open.clear()

    def _note(self, asked: PermissionAsked, decision: str) -> None:
        """Keep the calls that were rejected: their agents tell them as failures."""
        kinds = {option.id: option.kind for option in offered(asked)}
        self._rejected.discard(asked.tool_id)
        if kinds.get(decision) in REJECTS:
            self._rejected.add(asked.tool_id)

    def _expire(self, perm_id: str, options: tuple[PermissionOption, ...]) -> None:
        denying = next((option.id for option in options if option.kind in REJECTS), CANCELLED)
        self._expired(perm_id, denying)
