"""Restores of a folder: one row is the journal of each, from before the first file is changed.

The row and its events are written together. A server that dies in between leaves the row: its
successor, or the runner before the next prompt, completes the restore.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final, TypeVar
from uuid import UUID

from django.db import IntegrityError, transaction

from sessions.control import lifecycle
from sessions.control.back.errors import RestoreRunning
from sessions.control.back.target import Files, require_idle
from sessions.core.db import in_thread
from sessions.core.errors import ChatError
from sessions.eventlog import drafts, store
from sessions.eventlog.events import Draft
from sessions.models import Restore, Session
from sessions.workspace import roots
from sessions.workspace.checkpoints import keeping, restoring, shadow
from sessions.workspace.checkpoints.keeping import Room
from sessions.workspace.checkpoints.model import Busy, Checkpoint, NotKept
from sessions.workspace.checkpoints.restoring import Outcome

logger = logging.getLogger(__name__)

R = TypeVar("R")

# Threads that wait for disks, and for nothing else.
_THREADS: Final = ThreadPoolExecutor(4, thread_name_prefix="restores")


async def aside(work: Callable[[], R]) -> R:
    """Return the result of work on files, done in a thread."""
    return await asyncio.get_running_loop().run_in_executor(_THREADS, work)


@asynccontextmanager
async def room(session: Session, allowed: list[Path]) -> AsyncIterator[Room]:
    """Open the folder of a chat with its kept states, held by this request alone.

    Raises NotKept, FolderRefused, OSError.
    """
    stack = ExitStack()
    opening = keeping.room(session.pk, session.cwd, allowed)
    try:
        found = await aside(partial(stack.enter_context, opening))
        if found is None:
            raise NotKept("This chat has no folder yet.")
        yield found
    finally:
        await aside(stack.close)


def begin(session: Session, wanted: Files, to: int, present: Checkpoint, *, by: str) -> Restore:
    """Write the journal of a restore of a locked session. Raises TurnRunning, RestoreRunning."""
    require_idle(session)
    try:
        with transaction.atomic():
            row = Restore.objects.create(
                session=session,
                to=to,
                by=by,
                wanted=wanted.checkpoint,
                present=present.name,
                name=wanted.name,
                token=uuid.uuid4().hex,
            )
    except IntegrityError as exc:
        raise RestoreRunning(sessionId=str(session.pk)) from exc
    kept = drafts.checkpoint_made(
        checkpoint_id=present.name, files=present.files, left_out=present.left_out
    )
    store.append(session.pk, [kept])
    return row


async def complete(row: Restore, room: Room) -> Outcome:
    """Change the files and end the journal. Raises NotKept where a state is gone."""
    try:
        outcome = await aside(partial(_apply, row, room))
    except NotKept as exc:
        why = f"The files were not restored. {exc}"
        failed = drafts.error(code="restore_failed", error=why)
        await in_thread(_end, row, failed)
        raise
    await in_thread(_end, row, _told(row, outcome))
    return outcome


async def settle(session_id: UUID) -> None:
    """Complete a restore of a chat that a server has left, or wait for the one that runs."""
    while (row := await in_thread(_left, session_id)) is not None:
        session, allowed = await in_thread(_place_of, session_id)
        try:
            async with room(session, allowed) as found:
                row = await in_thread(_left, session_id)
                if row is not None:
                    logger.warning("completing a restore", extra={"session": str(session_id)})
                    await complete(row, found)
        except Busy:
            continue
        except (ChatError, NotKept, OSError) as exc:
            logger.warning("a restore was not completed", exc_info=True)
            if (row := await in_thread(_left, session_id)) is not None:
                why = f"The files were not all restored. {exc}"
                await in_thread(_end, row, drafts.error(code="restore_failed", error=why))


async def settle_all() -> None:
    """Complete the restores that a dead server has left, and remove states of long ago."""
    await aside(shadow.forget_unused)
    for session_id in await in_thread(_all_left):
        await settle(session_id)


def _apply(row: Restore, room: Room) -> Outcome:
    before, wanted = room.shadow.tree(row.present), room.shadow.tree(row.wanted)
    return restoring.apply(room.shadow, room.folder, before, wanted, token=row.token)


def _end(row: Restore, draft: Draft) -> None:
    with transaction.atomic():
        lifecycle.locked(row.session_id)
        ended, _ = Restore.objects.filter(pk=row.pk).delete()
        if ended:
            store.append(row.session_id, [draft])


def _told(row: Restore, outcome: Outcome) -> Draft:
    count, left = outcome.changed, len(outcome.left)
    files = "1 file" if count == 1 else f"{count} files"
    text = f"{row.by} restored {files} to the state {row.name}."
    if left:
        text += f" {left} changed meanwhile or cannot be written: left alone."
    return drafts.restored(
        to=row.to,
        checkpoint_id=row.wanted,
        kept=row.present,
        files=count,
        text=text,
        by=row.by,
        left_out=left,
    )


def _left(session_id: UUID) -> Restore | None:
    return Restore.objects.filter(session_id=session_id).first()


def _all_left() -> list[UUID]:
    return list(Restore.objects.values_list("session_id", flat=True))


def _place_of(session_id: UUID) -> tuple[Session, list[Path]]:
    return Session.objects.defer("offers").get(pk=session_id), roots.roots()
