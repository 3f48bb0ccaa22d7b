"""Answering questions of an agent: by a person, by their deadline, by the end of their turn."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction

from sessions.control import forms, lifecycle
from sessions.core.errors import QuestionAnswered, StaleRequest, UnknownQuestion
from sessions.core.source import Source
from sessions.eventlog import drafts, store
from sessions.eventlog.events import BY_SERVER, Action, Draft, EventType, Resolution
from sessions.eventlog.lease import Lease
from sessions.eventlog.shapes import Question
from sessions.models import MAX_TITLE_CHARS, Event, Session
from sessions.text.asking import QUESTION_EXPIRED
from sessions.trail.record import NOWHERE, Act, record

UNTITLED: Final = "a question without words"
_FACTS: Final = ("questionId", "action", "by", "reason")


def answer_question(
    *,
    user: AbstractBaseUser,
    session_id: UUID,
    question_id: str,
    action: str,
    values: Any,
    digest: str | None = None,
    source: Source = NOWHERE,
) -> None:
    """Answer an open question; the first answer wins over all devices.

    values: of the form, where it is accepted. digest: that of the question which the person was
    shown, where the client names it. Raises QuestionAnswered (with the earlier answer),
    UnknownQuestion, StaleRequest, InvalidRequest with the fields that do not fit.
    """
    with transaction.atomic():
        session = lifecycle.locked_for(user, session_id)
        question = _open(session).get(question_id)
        if question is None:
            raise _why_not_open(session_id, question_id)
        if digest is not None and digest != question.get("digest", digest):
            raise StaleRequest
        chosen = Action(action)
        given = forms.checked(question["schema"], values) if chosen is Action.ACCEPT else {}
        answered = drafts.question_answered(
            question_id=question_id,
            action=chosen,
            values=given,
            by=user.get_username(),
            reason=Resolution.ANSWERED,
            digest=digest,
            credential=source.credential or None,
            credential_name=source.name or None,
            connection_id=source.connection or None,
        )
        store.append(session_id, [answered])
        record(
            Act.DECISION,
            who=user.get_username(),
            about=f"session:{session_id} question:{question_id}",
            source=source,
            decision=str(chosen),
            kind="answer",
            digest=digest,
        )


def close_question(lease: Lease, question_id: str, *, reason: Resolution) -> bool:
    """Cancel a question in the server's name; return False when an answer was faster."""
    with transaction.atomic():
        session = lifecycle.locked(lease.session_id)
        question = _open(session).get(question_id)
        if question is None:
            return False
        told = [_told_expired(question)] if reason is Resolution.TIMEOUT else []
        store.append(lease.session_id, [_cancelled(question_id, reason), *told], lease=lease)
        return True


def _told_expired(question: Question) -> Draft:
    """Return the notice of a question that no person has answered in time."""
    title = question["title"][:MAX_TITLE_CHARS] or UNTITLED
    sentence = f"A question expired without an answer and was cancelled: {title}"
    return drafts.error(code=QUESTION_EXPIRED, error=sentence)


def cancelled_questions(session: Session, *, reason: Resolution) -> list[Draft]:
    """Return the events that cancel every open question of a locked session."""
    return [_cancelled(question_id, reason) for question_id in _open(session)]


def _cancelled(question_id: str, reason: Resolution) -> Draft:
    return drafts.question_answered(
        question_id=question_id, action=Action.CANCEL, values={}, by=BY_SERVER, reason=reason
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
