"""Changes to a session beside its turns: mode, title, close, archive."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import DatabaseError, transaction
from django.utils import timezone

from sessions.control import lifecycle, prompts
from sessions.control.direct import stoppers
from sessions.core import storage
from sessions.core.clean import clean_text
from sessions.core.errors import InvalidRequest, StorageFull, UnknownMode
from sessions.core.states import LIVE_STATES, SessionState
from sessions.eventlog import drafts, store
from sessions.eventlog.events import BY_AGENT
from sessions.models import MAX_TITLE_CHARS, Session


def set_mode(*, user: AbstractBaseUser, session_id: UUID, mode: str) -> None:
    """Ask the agent for another mode. Raises UnknownMode when it does not offer it."""
    with transaction.atomic():
        session = lifecycle.locked_for(user, session_id)
        offered = [choice["id"] for choice in session.live.get("modes", [])]
        if mode not in offered:
            raise UnknownMode(mode=mode, modes=offered)
        if mode != session.mode:
            name = user.get_username()
            # Under the agent's own name no runner would carry the change out.
            by = f"user {name}" if name == BY_AGENT else name
            store.append(session_id, [drafts.mode_changed(mode=mode, by=by)])


def close(*, user: AbstractBaseUser, session_id: UUID) -> None:
    """Tell a session to finish: running and waiting prompts are done, then its agent ends.

    While the disk is full, a runner of this process ends the agent after its turn: the close
    itself is not recorded. Raises UnknownSession, StorageFull.
    """
    try:
        _record_close(user, session_id)
    except DatabaseError as exc:
        if not storage.is_full(exc):
            raise
        Session.objects.find(user, session_id)
        try:
            stoppers.close_now(session_id)
        except LookupError:
            raise StorageFull from exc


def _record_close(user: AbstractBaseUser, session_id: UUID) -> None:
    with transaction.atomic():
        session = lifecycle.locked_for(user, session_id)
        waits = prompts.next_accepted(session_id) is not None
        if session.state in LIVE_STATES or waits:
            Session.objects.filter(pk=session_id).update(closes_when_done=True)
            lifecycle.begin_closing(session_id)
        elif session.state == SessionState.CREATED:
            lifecycle.move(session_id, SessionState.ENDED, "closed")


def rename(*, user: AbstractBaseUser, session_id: UUID, title: str) -> None:
    """Give a session another title. Raises InvalidRequest for an empty or overlong one."""
    Session.objects.find(user, session_id)
    title = " ".join(clean_text(title).split())
    if not 1 <= len(title) <= MAX_TITLE_CHARS:
        raise InvalidRequest(f"A title has 1 to {MAX_TITLE_CHARS} characters.", field="title")
    store.append(session_id, [drafts.title_changed(title=title)])


def archive(*, user: AbstractBaseUser, session_id: UUID) -> None:
    """Take a session off the list and close it; its log stays."""
    with transaction.atomic():
        _record_close(user, session_id)
        Session.objects.filter(pk=session_id).update(archived_at=timezone.now())
