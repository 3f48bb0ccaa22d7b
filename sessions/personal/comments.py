"""Comments on lines that wait to be sent: a person's own, the same on every device."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction

from sessions.core.errors import InvalidRequest, TooManyComments
from sessions.models import Session
from sessions.personal import rows
from sessions.personal.shapes import LineComment as Shown
from sessions.personal_models import LineComment, Personal

# Of one person in one chat; all of them become one prompt.
MOST: Final = 100


def of_person(user: AbstractBaseUser, session_id: UUID) -> tuple[int, list[Shown]]:
    """Return the version of a person's comments in a session, and them, the oldest first.

    Raises UnknownSession.
    """
    session = Session.objects.find(user, session_id)
    # The version comes first: a comment that is written meanwhile is of a later one.
    version = rows.of_person(user, session.pk)["commentsVersion"]
    mine = LineComment.objects.filter(user_id=user.pk, session_id=session.pk)
    return version, [
        {
            "id": row.name,
            "path": row.path,
            "line": row.line,
            "isOld": row.is_old,
            "quote": row.quote,
            "text": row.text,
        }
        for row in mine.order_by("pk")
    ]


def keep(*, user: AbstractBaseUser, session_id: UUID, comment: Shown) -> Personal:
    """Keep a comment; one of the same id is replaced. Return the person's row of the session.

    Raises UnknownSession, InvalidRequest without words, and TooManyComments.
    """
    if not comment["text"].strip() or not comment["path"]:
        raise InvalidRequest("A comment has a path and words.")
    values = {
        "path": comment["path"],
        "line": comment["line"],
        "is_old": comment["isOld"],
        "quote": comment["quote"],
        "text": comment["text"],
    }
    with transaction.atomic():
        row = rows.locked(user, session_id)
        mine = LineComment.objects.filter(user_id=user.pk, session_id=session_id)
        found = mine.filter(name=comment["id"])
        if found.filter(**values).exists():
            return row
        if not found.update(**values):
            if mine.count() >= MOST:
                raise TooManyComments(sessionId=str(session_id))
            LineComment.objects.create(
                user_id=user.pk, session_id=session_id, name=comment["id"], **values
            )
        return rows.changed(row, comments_version=row.comments_version + 1)


def drop(*, user: AbstractBaseUser, session_id: UUID, name: str) -> Personal:
    """Remove a comment; one that is gone stays gone. Return the person's row of the session.

    Raises UnknownSession.
    """
    with transaction.atomic():
        row = rows.locked(user, session_id)
        mine = LineComment.objects.filter(user_id=user.pk, session_id=session_id, name=name)
        count, _ = mine.delete()
        return rows.changed(row, comments_version=row.comments_version + 1) if count else row
