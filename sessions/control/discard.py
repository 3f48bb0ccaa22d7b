"""The acts of a person on the folder of a chat: the log names the person and the act."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction

from sessions.control import lifecycle
from sessions.core.source import Source
from sessions.eventlog import drafts, store
from sessions.text.asking import one_line
from sessions.trail.record import NOWHERE, Act, record_chat

DISCARDED: Final = "discarded"
STAGED: Final = "staged"
UNSTAGED: Final = "unstaged"
COMMITTED: Final = "committed"
# Staging changes no file.
_RECORDED: Final = {DISCARDED: Act.CHANGES_DISCARDED, COMMITTED: Act.CHANGES_COMMITTED}
# The paths that one notice names.
MAX_NAMED: Final = 5


def act(
    *,
    user: AbstractBaseUser,
    session_id: UUID,
    kind: str,
    did: str,
    write: Callable[[], None],
    source: Source = NOWHERE,
) -> None:
    """Change the folder and append the event of it, both or none; did: words behind the name.

    write: makes the change, last. Raises UnknownSession, and the errors of write.
    """
    with transaction.atomic():
        lifecycle.locked_for(user, session_id)
        text = f"{user.get_username()} {did}."
        store.append(session_id, [drafts.notice(kind=kind, text=text)])
        if kind in _RECORDED:
            record_chat(_RECORDED[kind], user, session_id, source)
        write()


def named(paths: list[str]) -> str:
    """Return paths for a sentence; of many, the first ones."""
    words = ", ".join(one_line(path) for path in paths[:MAX_NAMED])
    more = len(paths) - MAX_NAMED
    return f"{words} and {more} more" if more > 0 else words
