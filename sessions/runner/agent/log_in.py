"""The log-in that the agent of a live session wants: kept for its next start, told in the chat."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from functools import partial
from typing import Final
from uuid import UUID

from sessions.agents import registry
from sessions.agents.port import LogInNeeded, Started, TurnDone
from sessions.agents.processes import accounts
from sessions.agents.ways import Method
from sessions.core.db import retry_while_down
from sessions.eventlog import drafts
from sessions.eventlog.writer import Writer
from sessions.log_ins import needs
from sessions.models import Session

# Ends of a turn that only an agent with a log-in comes to.
ANSWERED: Final = frozenset({"end_turn", "max_tokens", "refusal"})


class LogIn:
    """The log-in of one session's agent."""

    def __init__(self, session_id: UUID, writer: Writer) -> None:
        self._session_id = session_id
        self._writer = writer
        self._agent = self._account = ""  # "": it has no log-in
        self._is_told = False  # the chat says that one is needed

    def begin(self, session: Session) -> None:
        """Take the agent and the owner of the session that is to start. Raises UnknownAgent."""
        self._agent = session.agent if registry.has_log_in(session.agent) else ""
        self._account = accounts.name_of(session.owner.get_username())
        self._is_told = session.live.get("logIn") is not None

    async def opened(self, start: Awaitable[Started]) -> Started:
        """Wait for the start of the agent, which opens a session or wants a log-in for that."""
        try:
            started = await start
        except LogInNeeded as exc:
            await self._wanted(exc.ways)
            raise
        if self._agent:
            settle = partial(needs.settle, self._agent, self._account, by_session=True)
            await retry_while_down(settle)
        return started

    async def turn_ends(self, done: TurnDone) -> None:
        """Note that the agent wants a log-in before it answers, where it does."""
        if done.log_in is not None:
            await self._wanted(done.log_in, at_prompt=True)

    async def turn_ended(self, done: TurnDone) -> None:
        """Note that the agent has answered: that is the proof of a log-in."""
        if self._agent and done.stop_reason in ANSWERED:
            await retry_while_down(partial(needs.settle, self._agent, self._account))
            if self._is_told:
                await retry_while_down(self._tell_once)
                self._is_told = False

    async def _wanted(self, ways: Sequence[Method], *, at_prompt: bool = False) -> None:
        if not self._agent:
            return
        note = partial(needs.note, self._agent, self._account, ways, at_prompt=at_prompt)
        await retry_while_down(note)
        names = [way.name for way in ways]
        told = drafts.log_in_changed(needed=True, ways=names)
        await self._writer.append(self._session_id, [told])
        self._is_told = True

    def _tell_once(self) -> None:
        """Tell the chat of the end, where a log-in or another chat has not."""
        row = Session.objects.filter(pk=self._session_id, live__logIn__since__isnull=False)
        needs.tell(row)
