"""The last prompts of a user in a project, for the arrow keys: the same on every device."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.db.models.functions import Length

from sessions.account_models import Project
from sessions.models import Message, Session

MAX_PROMPTS: Final = 100
# Chats that are looked in, the last used first.
MAX_CHATS: Final = 50
# A longer prompt is not offered again, and all together have this size at most.
MAX_CHARS: Final = 10_000
MAX_CHARS_TOGETHER: Final = 200_000


def prompts(user: User, *, session_id: UUID | None, project_id: UUID | None) -> list[str]:
    """Return the last prompts of a user, oldest first, each text once.

    Of the session's project or of the named one; without a project, of the chats in the session's
    folder, or of those without a folder. Raises UnknownSession, UnknownProject.
    """
    chats = _beside(user, session_id, project_id).order_by("-last_activity_at")
    looked_in = list(chats.values_list("pk", flat=True)[:MAX_CHATS])
    rows = Message.objects.filter(session__in=looked_in, role="user")
    short = rows.annotate(size=Length("text")).filter(size__gte=1, size__lte=MAX_CHARS)
    found: dict[str, None] = {}
    room = MAX_CHARS_TOGETHER
    # More rows than texts are wanted: the same prompt is often said again.
    for text in short.order_by("-pk").values_list("text", flat=True)[: 3 * MAX_PROMPTS]:
        if text in found:
            continue
        room -= len(text)
        if room < 0 or len(found) == MAX_PROMPTS:
            break
        found[text] = None
    return list(reversed(found))


def _beside(user: User, session_id: UUID | None, project_id: UUID | None) -> QuerySet[Session]:
    """Return the chats whose prompts belong together."""
    mine = Session.objects.visible_to(user)
    if session_id is not None:
        session = Session.objects.find(user, session_id)
        project_id = session.project_id
        if project_id is None:
            return mine.filter(project=None, cwd=session.cwd)
    if project_id is not None:
        return mine.filter(project=Project.objects.find(user, project_id))
    return mine.filter(project=None)
