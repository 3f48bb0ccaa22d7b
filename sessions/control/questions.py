"""Answering questions of an agent: by a person, by their deadline, by the end of their turn."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction

from sessions.control import forms, lifecycle
from sessions.core.errors import QuestionAnswered, UnknownQuestion
from sessions.eventlog import drafts, store
from sessions.eventlog.events import BY_SERVER, Action, Draft, EventType, Resolution
from sessions.eventlog.lease import Lease
from sessions.eventlog.shapes import Question
from sessions.models import Event, Session

_FACTS: Final = ("questionId", "action", "by", "reason")


def answer_question(
    *, user: AbstractBaseUser, session_id: UUID, question_id: str, action: str, values: Any
) -> None:
    """Answer an open question; the first answer wins over all devices.

    values: of the form, where it is accepted. Raises QuestionAnswered (with the earlier answer),
    UnknownQuestion, InvalidRequest with the fields that do not fit.
    """
    with transaction.atomic():
        session = lifecycle.locked_for(user, session_id)
        question = _open(session).get(question_id)
        if question is None:
            raise _why_not_open(session_id, question_id)
        chosen = Action(action)
        given = forms.checked(question["schema"], values) if chosen is Action.ACCEPT else {}
        by = user.get_username()
        answered = _answered(question_id, chosen, given, by=by, reason=Resolution.ANSWERED)
        store.append(session_id, [answered])


def close_question(lease: Lease, question_id: str, *, reason: Resolution) -> bool:
    """Cancel a question in the server's name; return False when an answer was faster."""
    with transaction.atomic():
        session = lifecycle.locked(lease.session_id)
        if question_id not in _open(session):
            return False
        store.append(lease.session_id, [_cancelled(question_id, reason)], lease=lease)
        return True


def cancelled_questions(session: Session, *, reason: Resolution) -> list[Draft]:
    """Return the events that cancel every open question of a locked session."""
    return [_cancelled(question_id, reason) for question_id in _open(session)]


def _cancelled(question_id: str, reason: Resolution) -> Draft:
    return _answered(question_id, Action.CANCEL, {}, by=BY_SERVER, reason=reason)


def _answered(
    question_id: str, action: Action, values: Any, *, by: str, reason: Resolution
) -> Draft:
    return drafts.question_answered(
        question_id=question_id, action=action, values=values, by=by, reason=reason
    )


def _open(session: Session) -> dict[str, Question]:
    questions: list[Question] = session.live.get("questions", [])
    return {question["questionId"]: question for question in questions}


def _why_not_open(session_id: UUID, question_id: str) -> Exception:
    answered = Event.objects.filter(
        session_id=session_id, type=EventType.QUESTION_ANSWERED, payload__questionId=question_id
    ).first()
    if answered is None:
        return UnknownQuestion(questionId=question_id)
    return QuestionAnswered(**{name: answered.payload[name] for name in _FACTS})
