"""CHAT_SECOND_FACTOR: the accounts that must have a second factor, and the log-ins that had it."""

from __future__ import annotations

from typing import Any, Final

from django.contrib.auth.models import User

from sessions.core.conf import chat

# In the data of a log-in: it was made or confirmed with a second factor, or by a one-time link.
_PROVED: Final = "second_factor"


def is_required(user: User) -> bool:
    """Return whether the operator wants a second factor of this account."""
    wanted = chat.SECOND_FACTOR
    return wanted == "required" or (wanted == "staff" and user.is_staff)


def note_proof(session: Any) -> None:
    """Note that the person of a log-in has shown a second factor."""
    session[_PROVED] = True


def was_shown(session: Any) -> bool:
    """Return whether the person of a log-in has shown a second factor, or came by a link."""
    return bool(session.get(_PROVED))


def is_met(user: User, session: Any) -> bool:
    """Return whether a log-in may be used: it had its second factor, or needs none."""
    return not is_required(user) or was_shown(session)
