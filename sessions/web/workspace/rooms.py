"""The folder of a session, opened for one who may read the session, in threads for slow disks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar
from uuid import UUID

from sessions.core.db import DatabaseThreads, in_thread
from sessions.models import Session
from sessions.web import reads
from sessions.workspace import inside, roots

R = TypeVar("R")
# Takes the session, its folder (None while there is none) and the roots.
Work: TypeAlias = Callable[[Session, inside.Inside | None, list[Path]], R]

# Their own: a disk that hangs holds up no database work.
file_threads: Final = DatabaseThreads("files")


async def in_folder(user: Any, session_id: UUID, work: Work[R]) -> R:
    """Return the result of work, done in a thread.

    Raises UnknownSession, FolderRefused, TooManyRequests, and the errors of work.
    """
    await reads.hold_place(user)
    session, allowed = await in_thread(facts, user, session_id)
    return await file_threads.run(_worked, session, allowed, work)


def facts(user: Any, session_id: UUID) -> tuple[Session, list[Path]]:
    """Return a session that user may read, and the roots. Raises UnknownSession."""
    return Session.objects.find(user, session_id), roots.roots()


def _worked(
    session: Session,
    allowed: list[Path],
    work: Work[R],
) -> R:
    with inside.of_session(session.pk, session.cwd, allowed) as folder:
        return work(session, folder, allowed)
