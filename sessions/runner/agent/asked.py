"""All that one agent waits for a person to decide: permission requests and questions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from sessions.agents.port import (
    Agent,
    PermissionAsked,
    PermissionClosed,
    QuestionAsked,
    QuestionClosed,
    ToolDone,
    Update,
)
from sessions.control.permissions import expire_permission
from sessions.control.questions import close_question
from sessions.control.rules import answer_by_rule
from sessions.control.waiting import remind, wait_of
from sessions.core.db import retry_while_down
from sessions.core.tasks import TaskSet
from sessions.eventlog.events import CANCELLED, Draft, EventType, LoggedEvent, Resolution
from sessions.eventlog.lease import Lease
from sessions.eventlog.writer import Writer
from sessions.runner.agent.permissions import OpenRequests
from sessions.runner.agent.questions import OpenQuestions
from sessions.text.asking import plan_of
from sessions.text.rendering import Rendering

# The events that tell a decision.
DECISIONS = frozenset({EventType.PERMISSION_RESOLVED, EventType.QUESTION_ANSWERED})


class Asked:
    """The open requests of one agent. errands: runs what need not be waited for."""

    def __init__(self, lease: Lease, writer: Writer, errands: TaskSet) -> None:
        self._lease = lease
        self._writer = writer
        self._errands = errands
        self._permissions = OpenRequests(self._expired, self._remind)
        expired = partial(self._close_question, reason=Resolution.TIMEOUT)
        self._rendering = Rendering(session=lease.session_id)
        self._questions = OpenQuestions(expired, self._remind)

    @property
    def is_any_open(self) -> bool:
        """Whether a request or a question waits for a person."""
        return self._permissions.is_any_open or self._questions.is_any_open

    async def open(self, update: Update) -> list[Draft]:
        """Start the deadline of a request and return its event; [] for another update."""
        if not isinstance(update, PermissionAsked | QuestionAsked):
            return []
        wait_s = await retry_while_down(partial(wait_of, self._lease.session_id))
        if isinstance(update, PermissionAsked):
            plan = plan_of(update.tool_kind, update.input)
            html = await asyncio.to_thread(self._rendering.html, plan) if plan else None
            return [self._permissions.open(update, wait_s=wait_s, html=html)]
        return [self._questions.open(update, wait_s=wait_s)]

    def pass_on(self, agent: Agent, decided: LoggedEvent) -> None:
        """Hand the agent a decision of the log."""
        told = decided.payload
        if decided.type == EventType.QUESTION_ANSWERED:
            reply = (told["questionId"], told["action"], told["values"])
            self._errands.start(self._questions.pass_on(agent, *reply), name="answer")
        else:
            message = str(told.get("message", ""))
            work = self._permissions.pass_on(agent, told["permId"], told["decision"], message)
            self._errands.start(work, name="pass-on")

    def consult_rules(self, update: Update, *, mode: str | None) -> None:
        """Let a rule answer a request whose event is on its way; mode: the agent's own."""
        if isinstance(update, PermissionAsked):
            self._close(partial(answer_by_rule, self._lease, update.perm_id, mode=mode))

    def outcome(self, update: Update) -> Update:
        """Return an update; the end of a call that a person rejected says so."""
        return self._permissions.outcome(update) if isinstance(update, ToolDone) else update

    def withdraw(self, update: PermissionClosed | QuestionClosed) -> None:
        """Close a request that the agent takes back."""
        if isinstance(update, QuestionClosed):
            self._close_question(update.question_id, reason=Resolution.INTERRUPTED)
        else:
            reason = Resolution.INTERRUPTED
            close = partial(expire_permission, decision=CANCELLED, reason=reason)
            self._close(partial(close, self._lease, update.perm_id))

    def forget_all(self) -> None:
        """Drop every request: their turn is over."""
        self._permissions.forget_all()
        self._questions.forget_all()

    def _expired(self, perm_id: str, decision: str) -> None:
        """Deny a request without an answer in time; the agent hears of it through the event."""
        self._close(partial(expire_permission, self._lease, perm_id, decision=decision))

    def _remind(self, request_id: str) -> None:
        self._close(partial(remind, self._lease, request_id))

    def _close_question(self, question_id: str, *, reason: Resolution) -> None:
        self._close(partial(close_question, self._lease, question_id, reason=reason))

    def _close(self, close: Callable[[], bool]) -> None:
        self._errands.start(self._close_written(close), name="expire")

    async def _close_written(self, close: Callable[[], bool]) -> None:
        """Close a request, whose event may still wait to be written."""
        await self._writer.flush(self._lease.session_id)
        await retry_while_down(close)
