"""The prompts that wait, in a person's hand: withdrawn, edited, moved.

A prompt is handed over (sessions.control.prompts.dispatch) or changed here, never both: each is one
conditional update of its row, under the lock of its session, in the transaction of its event.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from sessions.control import lifecycle
from sessions.control.admission.sent import check_text
from sessions.control.prompts import waiting
from sessions.core import storage
from sessions.core.errors import (
    ChatError,
    Dispatched,
    InvalidRequest,
    UnknownPrompt,
    VersionConflict,
)
from sessions.core.states import SessionState
from sessions.eventlog import drafts, store
from sessions.eventlog.lease import is_held
from sessions.models import Message, Prompt, Session


def withdraw(*, user: AbstractBaseUser, session_id: UUID, client_msg_id: str) -> None:
    """Take a waiting prompt back: it never runs. Repeated, it changes nothing.

    Raises UnknownSession, UnknownPrompt, Dispatched.
    """
    with transaction.atomic():
        session = lifecycle.locked_for(user, session_id)
        rows = Prompt.objects.filter(session=session, client_msg_id=client_msg_id)
        withdrawn = Prompt.State.WITHDRAWN
        if not rows.waiting().update(state=withdrawn, finished_at=timezone.now()):
            if rows.filter(state=withdrawn).exists():
                return
            raise _gone(session, client_msg_id)
        by = user.get_username()
        store.append(session_id, [drafts.prompt_withdrawn(client_msg_id=client_msg_id, by=by)])
        _end_unbegun(session)


def edit(
    *, user: AbstractBaseUser, session_id: UUID, client_msg_id: str, text: str, version: int
) -> int:
    """Give a waiting prompt another text; return the version of it.

    version: of the text that the person has edited. Raises UnknownSession, UnknownPrompt,
    Dispatched, VersionConflict, and the errors of send_message for text.
    """
    check_text(text, client_msg_id, may_be_empty=_has_files(user, session_id, client_msg_id))
    storage.require_room()
    with transaction.atomic():
        session = lifecycle.locked_for(user, session_id)
        rows = Prompt.objects.filter(session=session, client_msg_id=client_msg_id)
        if not rows.waiting().filter(version=version).update(version=F("version") + 1):
            raise _gone(session, client_msg_id)
        edited = drafts.prompt_edited(
            client_msg_id=client_msg_id, text=text, version=version + 1, by=user.get_username()
        )
        store.append(session_id, [edited])
    return version + 1


def reorder(*, user: AbstractBaseUser, session_id: UUID, client_msg_ids: Sequence[str]) -> None:
    """Let waiting prompts run in another order: those named share their places among themselves.

    Raises UnknownSession, UnknownPrompt, Dispatched, InvalidRequest.
    """
    if len(set(client_msg_ids)) < len(client_msg_ids):
        raise InvalidRequest("A prompt is named twice.", field="clientMsgIds")
    with transaction.atomic():
        session = lifecycle.locked_for(user, session_id)
        _reorder(session, client_msg_ids, by=user.get_username())


def put_first(session: Session, client_msg_id: str, *, by: str) -> None:
    """Let a waiting prompt of a locked session run next. Raises UnknownPrompt, Dispatched."""
    names = list(waiting(session.pk).values_list("client_msg_id", flat=True))
    _reorder(session, [client_msg_id, *(name for name in names if name != client_msg_id)], by=by)


def _reorder(session: Session, client_msg_ids: Sequence[str], *, by: str) -> None:
    rows = list(waiting(session.pk))
    by_name = {row.client_msg_id: row for row in rows}
    for name in client_msg_ids:
        if name not in by_name:
            raise _gone(session, name)
    named = set(client_msg_ids)
    places = [_place(row) for row in rows if row.client_msg_id in named]
    moved = []
    for name, place in zip(client_msg_ids, places, strict=True):
        row = by_name[name]
        if _place(row) != place:
            row.place = place
            moved.append(row)
    if not moved:
        return
    Prompt.objects.bulk_update(moved, ["place"])
    order = [row.client_msg_id for row in sorted(rows, key=_place)]
    store.append(session.pk, [drafts.queue_reordered(client_msg_ids=order, by=by)])


def _place(row: Prompt) -> int:
    return row.seq if row.place is None else row.place


def _gone(session: Session, client_msg_id: str) -> ChatError:
    """Return the reason why a prompt cannot be changed."""
    row = Prompt.objects.filter(session=session, client_msg_id=client_msg_id).first()
    facts = {"sessionId": str(session.pk), "clientMsgId": client_msg_id}
    if row is None:
        return UnknownPrompt(**facts)
    if row.state == Prompt.State.ACCEPTED:
        return VersionConflict(**facts, version=row.version)
    # The row's word for a prompt with an answer is another one than the log's.
    state = "answered" if row.state == Prompt.State.DONE else str(row.state)
    return Dispatched(**facts, promptState=state)


def _has_files(user: AbstractBaseUser, session_id: UUID, client_msg_id: str) -> bool:
    messages = Message.objects.filter(session_id=session_id, session__owner_id=user.pk, role="user")
    named = messages.filter(client_msg_id=client_msg_id)
    return any("attachments" in data for data in named.values_list("data", flat=True))


def _end_unbegun(session: Session) -> None:
    """End a session whose only prompts were withdrawn before a runner had it: none would."""
    is_unbegun = session.state == SessionState.CREATED and not is_held(session, timezone.now())
    if is_unbegun and not waiting(session.pk).exists():
        lifecycle.move(session.pk, SessionState.ENDED, "withdrawn")
