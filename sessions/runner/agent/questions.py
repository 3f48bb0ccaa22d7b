"""The questions that one agent has open, each with its deadline."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, cast

from sessions.agents.port import Action, Agent, QuestionAsked
from sessions.eventlog import drafts
from sessions.eventlog.events import Draft
from sessions.eventlog.shown import QUESTION_FIELDS, digest_of
from sessions.runner.agent.deadline import Deadline


class OpenQuestions:
    """Questions by id.

    expired(question_id) is called for one without an answer in time, remind(question_id) after
    half of that.
    """

    def __init__(self, expired: Callable[[str], None], remind: Callable[[str], None]) -> None:
        self._expired = expired
        self._remind = remind
        self._open: dict[str, Deadline] = {}

    def open(self, asked: QuestionAsked, *, wait_s: float | None) -> Draft:
        """Start the deadline of a question and return its event; wait_s None: without an end."""
        name = asked.question_id
        deadline = Deadline(
            wait_s, remind=partial(self._remind, name), expire=partial(self._expired, name)
        )
        self._open[name] = deadline
        question = partial(
            drafts.question_asked,
            question_id=name,
            title=asked.title,
            schema=asked.schema,
            expires_at=deadline.expires_at,
            url=asked.url,
        )
        return question(digest=digest_of(question().payload, QUESTION_FIELDS))

    async def pass_on(self, agent: Agent, question_id: str, action: str, values: Any) -> None:
        """Hand the agent the answer; a question that is not open any more is left alone."""
        deadline = self._open.pop(question_id, None)
        if deadline is None:
            return
        deadline.cancel()
        await agent.reply(question_id, cast("Action", action), values)

    def forget_all(self) -> None:
        """Drop every question: its turn is over."""
        for deadline in self._open.values():
            deadline.cancel()
        self._open.clear()

    @property
    def is_any_open(self) -> bool:
        """Whether a question waits."""
        return bool(self._open)
