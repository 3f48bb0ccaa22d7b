"""Moves between states: each is checked, and one event in the transaction that makes it."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction
from django.utils import timezone

from sessions.core.errors import UnknownSession
from sessions.core.states import SessionState, check_transition
from sessions.eventlog import drafts, store
from sessions.eventlog.events import Draft, LoggedEvent
from sessions.eventlog.lease import Lease
from sessions.models import Session

_WATCHED = frozenset({SessionState.ACTIVE, SessionState.DETACHED, SessionState.SUSPENDED})


def locked(session_id: UUID) -> Session:
    """Return the session with its row locked until the transaction ends. Raises UnknownSession."""
    rows = Session.objects.select_for_update(no_key=True).defer("offers")
    session = rows.filter(pk=session_id).first()
    if session is None:
        raise UnknownSession
    return session


def locked_for(user: AbstractBaseUser, session_id: UUID) -> Session:
    """Return a session of user, locked as by `locked`. Raises UnknownSession, for another's too."""
    return Session.objects.select_for_update(no_key=True).find(user, session_id)


def move_draft(session: Session, to: SessionState, reason: str) -> Draft:
    """Return the event of a move, unchecked."""
    return drafts.session_state_changed(
        before=session.state, state=to.value, run_state=session.run_state, reason=reason
    )


def move(
    session_id: UUID, to: SessionState, reason: str, *, lease: Lease | None = None
) -> list[LoggedEvent]:
    """Move a session to a state; a session that is there already stays and logs nothing.

    Raises InvalidTransition, UnknownSession, and LeaseLost when lease is given and no longer held.
    """
    with transaction.atomic():
        session = locked(session_id)
        if session.state == to:
            return []
        check_transition(SessionState(session.state), to)
        return store.append(session_id, [move_draft(session, to, reason)], lease=lease)


def force_ended(session_id: UUID, reason: str, *, lease: Lease) -> list[LoggedEvent]:
    """End a session from any state: recovery alone may, and reason says so."""
    with transaction.atomic():
        session = locked(session_id)
        if session.state == SessionState.ENDED:
            return []
        draft = move_draft(session, SessionState.ENDED, reason)
        return store.append(session_id, [draft], lease=lease)


def set_presence(session_id: UUID, *, foreground: int, background: int) -> None:
    """Record how many watchers a session has over all processes, and move it accordingly.

    ACTIVE with a watcher in the foreground. SUSPENDED when every watcher is in the background.
    DETACHED without watchers. Raises UnknownSession.
    """
    with transaction.atomic():
        session = locked(session_id)
        since = None if foreground else session.unwatched_since or timezone.now()
        Session.objects.filter(pk=session_id).update(
            foreground=foreground, background=background, unwatched_since=since
        )
        state = SessionState(session.state)
        target = watched_state(state, foreground=foreground, background=background)
        if target != state:
            store.append(session_id, [move_draft(session, target, "watchers")])


def agent_is_up(session_id: UUID, *, lease: Lease) -> None:
    """Move a starting session to where its watchers say, or to its close.

    One transaction: a watcher counted meanwhile is not forgotten.
    Raises InvalidTransition, UnknownSession, LeaseLost.
    """
    with transaction.atomic():
        move(session_id, SessionState.ACTIVE, "agent_started", lease=lease)
        session = locked(session_id)
        if session.closes_when_done:
            begin_closing(session_id)
        set_presence(session_id, foreground=session.foreground, background=session.background)


def begin_closing(session_id: UUID) -> None:
    """Move a session whose agent is up to CLOSING; another one closes when its agent is up."""
    with transaction.atomic():
        state = locked(session_id).state
        if state == SessionState.SUSPENDED:
            # A person has come back, if only to close it: the table has no straight way.
            move(session_id, SessionState.ACTIVE, "closed")
        if state in _WATCHED:
            move(session_id, SessionState.CLOSING, "closed")


def watched_state(state: SessionState, *, foreground: int, background: int) -> SessionState:
    """Return where a session belongs by its watchers: itself, unless its agent is up."""
    if state not in _WATCHED:
        return state
    if foreground:
        return SessionState.ACTIVE
    if background:
        return SessionState.SUSPENDED
    # A suspended session whose last watcher is gone waits out its grace as it is.
    return state if state == SessionState.SUSPENDED else SessionState.DETACHED
