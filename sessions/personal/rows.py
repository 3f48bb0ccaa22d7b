"""Drafts, read marks and pins: one row per person and session, changed under its lock."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import IntegrityError, transaction
from django.db.models import F, FilteredRelation, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from sessions.core.clean import clean_text
from sessions.core.conf import chat
from sessions.core.errors import DraftConflict, PromptTooLarge, TooManyPins
from sessions.eventlog.events import timestamp
from sessions.models import Session
from sessions.personal.shapes import Personal as Shown
from sessions.personal_models import Personal

# Pinned chats of one person: the list shows all of them at once.
MAX_PINS: Final = 100
_SHOWN: Final = ("version", "draft", "draft_version", "comments_version", "read_seq", "pinned_at")


def begin(user_id: int, session_id: UUID) -> None:
    """Make the row of a new session: its answers are unread until the person has read them."""
    Personal.objects.create(user_id=user_id, session_id=session_id, changed_at=timezone.now())


def put_draft(
    *, user: AbstractBaseUser, session_id: UUID, text: str, version: int | None
) -> Personal:
    """Keep the text that a person is writing; return the row.

    version: of the draft that the writer has seen, None: whatever it is. Raises UnknownSession,
    PromptTooLarge, and DraftConflict where another device has written meanwhile.
    """
    text = clean_text(text)
    size = len(text.encode())
    if size > chat.MAX_PROMPT_BYTES:
        raise PromptTooLarge(
            f"The draft has {size} bytes; {chat.MAX_PROMPT_BYTES} are allowed.",
            maxBytes=chat.MAX_PROMPT_BYTES,
        )
    with transaction.atomic():
        row = locked(user, session_id)
        if row.draft == text:
            return row
        if version is not None and version != row.draft_version:
            raise DraftConflict(draft=row.draft, version=row.draft_version)
        return changed(row, draft=text, draft_version=row.draft_version + 1)


def mark_read(*, user: AbstractBaseUser, session_id: UUID, seq: int) -> Personal:
    """Note that a person has read a session up to seq; a mark only rises, to the head at most.

    Raises UnknownSession.
    """
    with transaction.atomic():
        row = locked(user, session_id)
        seq = min(seq, row.session.head_seq)
        return changed(row, read_seq=seq) if seq > row.read_seq else row


def pin(*, user: AbstractBaseUser, session_id: UUID, is_pinned: bool) -> Personal:
    """Put a session before the others in the list, or back. Raises UnknownSession, TooManyPins."""
    with transaction.atomic():
        row = locked(user, session_id)
        if (row.pinned_at is not None) == is_pinned:
            return row
        pinned = Personal.objects.filter(user_id=user.pk, pinned_at__isnull=False)
        if is_pinned and pinned.count() >= MAX_PINS:
            raise TooManyPins(sessionId=str(session_id))
        return changed(row, pinned_at=timezone.now() if is_pinned else None)


def shown(session_id: UUID, row: Personal | None) -> Shown:
    """Return a row for its person; None: there is no row yet."""
    if row is None:
        row = Personal(session_id=session_id)
    return {
        "sessionId": str(session_id),
        "version": row.version,
        "draft": row.draft,
        "draftVersion": row.draft_version,
        "commentsVersion": row.comments_version,
        "readSeq": row.read_seq,
        "pinnedAt": timestamp(row.pinned_at) if row.pinned_at else None,
    }


def of_person(user: AbstractBaseUser, session_id: UUID) -> Shown:
    """Return the draft, the read mark and the pin that a person has of a session."""
    row = Personal.objects.filter(user_id=user.pk, session_id=session_id).first()
    return shown(session_id, row)


def beside(sessions: QuerySet[Session], user: AbstractBaseUser) -> QuerySet[Any]:
    """Return sessions with the row that a person has of each, for `of_row`."""
    mine = FilteredRelation("personal", condition=Q(personal__user=user))
    fields = {f"mine_{name}": F(f"mine__{name}") for name in _SHOWN}
    return sessions.annotate(mine=mine, **fields)


def of_row(session: Any) -> Shown:
    """Return the draft, the read mark and the pin of a session of `beside`."""
    values = {name: getattr(session, f"mine_{name}") for name in _SHOWN}
    has_row = values["version"] is not None
    return shown(session.pk, Personal(session_id=session.pk, **values) if has_row else None)


def changed_lately(user_ids: Collection[int], within: timedelta) -> list[tuple[int, int]]:
    """Return (pk, version) of the rows of some people that have changed so lately.

    The clock is the database's: those of the hosts may differ.
    """
    rows = Personal.objects.filter(user_id__in=user_ids, changed_at__gt=Now() - within)
    return list(rows.values_list("pk", "version"))


def with_ids(pks: Collection[int]) -> list[Personal]:
    """Return some rows."""
    return list(Personal.objects.filter(pk__in=pks))


def locked(user: AbstractBaseUser, session_id: UUID) -> Personal:
    """Return the person's row of a session, locked; the first change makes it.

    Raises UnknownSession.
    """
    session = Session.objects.find(user, session_id)
    mine = Personal.objects.select_for_update(no_key=True).filter(
        user_id=user.pk, session_id=session_id
    )
    row = mine.first()
    if row is None:
        try:
            # All that was before the first row counts as read.
            with transaction.atomic():
                row = Personal.objects.create(
                    user_id=user.pk,
                    session_id=session_id,
                    read_seq=session.head_seq,
                    changed_at=Now(),
                )
        except IntegrityError:
            row = mine.get()
    row.session = session
    return row


def changed(row: Personal, **values: Any) -> Personal:
    """Store a change; the version tells the other devices of the person that there is one."""
    row.version += 1
    for name, value in values.items():
        setattr(row, name, value)
    Personal.objects.filter(pk=row.pk).update(version=row.version, changed_at=Now(), **values)
    return row
