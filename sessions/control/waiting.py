"""The time that requests of a session wait for a person, and the reminder half-way."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction

from sessions.control import lifecycle
from sessions.control.permissions import open_requests
from sessions.core.conf import chat
from sessions.eventlog import drafts, store
from sessions.eventlog.lease import Lease
from sessions.eventlog.shapes import Question
from sessions.models import MAX_TITLE_CHARS, Session
from sessions.projects import defaults

# The kind of the notice about a change.
WAITING: Final = "waiting"
UNTIL_ANSWERED: Final = 0
MAX_WAIT_S: Final = 31 * 24 * 3600


def set_wait(*, user: AbstractBaseUser, session_id: UUID, wait_s: int | None) -> None:
    """Let later requests of a session wait so long; 0: until answered.

    None: as the project says, else the server. Raises UnknownSession.
    """
    with transaction.atomic():
        session = lifecycle.locked_for(user, session_id)
        if session.wait_s == wait_s:
            return
        Session.objects.filter(pk=session_id).update(wait_s=wait_s)
        text = f"{user.get_username()}: requests wait {_words(wait_s)}."
        store.append(session_id, [drafts.notice(kind=WAITING, text=text)])


def wait_of(session_id: UUID) -> float | None:
    """Return the seconds that a new request of a session waits; None: until it is answered."""
    fields = ("wait_s", "project__defaults")
    own, of_project = Session.objects.values_list(*fields).get(pk=session_id)
    chosen = own if own is not None else (of_project or {}).get("waiting")
    if chosen is None:
        return chat.PERMISSION_TIMEOUT_S
    return None if chosen in {UNTIL_ANSWERED, defaults.UNTIL_ANSWERED} else float(chosen)


def remind(lease: Lease, request_id: str) -> bool:
    """Tell an open request once more; return False when it is open no more."""
    with transaction.atomic():
        session = lifecycle.locked(lease.session_id)
        found = _open(session).get(request_id)
        if found is None or found[1] is None:
            return False
        reminded = drafts.request_reminded(
            request_id=request_id, title=found[0][:MAX_TITLE_CHARS], expires_at=found[1]
        )
        store.append(lease.session_id, [reminded], lease=lease)
        return True


def _open(session: Session) -> dict[str, tuple[str, str | None]]:
    """Return title and end of each open request and question."""
    questions: list[Question] = session.live.get("questions", [])
    found = {each["questionId"]: (each["title"], each["expiresAt"]) for each in questions}
    for perm_id, each in open_requests(session).items():
        found[perm_id] = (each["title"] or each["toolName"], each["expiresAt"])
    return found


def _words(wait_s: int | None) -> str:
    if wait_s is None:
        return "as long as the project or the server says"
    return "until they are answered" if wait_s == UNTIL_ANSWERED else f"for {wait_s} seconds"
