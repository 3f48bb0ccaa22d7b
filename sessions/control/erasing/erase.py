"""Deleting a session permanently: the one exception from a log that keeps everything.

Its agent is stopped first and its prompts are withdrawn. Then every row of it goes in one
transaction, with the bytes that no other chat names; the audit trail says who did it.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models, transaction
from django.utils import timezone

from sessions.control import lifecycle, prompts, queue, settings
from sessions.control.interrupt import request_interrupt
from sessions.core.db import in_thread
from sessions.core.errors import StillRunning
from sessions.core.source import Source
from sessions.eventlog.blobs import rows as blobs
from sessions.eventlog.lease import is_held
from sessions.models import Session
from sessions.trail.record import Act, record
from sessions.workspace import folders
from sessions.workspace.checkpoints import shadow
from sessions.workspace.checkpoints.model import NotKept

logger = logging.getLogger(__name__)

# So long a request waits for the agent's end; a later one finds it ended.
WAIT_S: Final = 15.0
LOOK_S: Final = 0.1


async def erase(*, user: AbstractBaseUser, session_id: UUID, source: Source) -> None:
    """Stop the agent of a session and delete all of it. Raises UnknownSession, StillRunning."""
    await in_thread(_stop, user, session_id, source)
    end = time.monotonic() + WAIT_S
    while not await in_thread(_is_erased, user, session_id, source):
        if time.monotonic() >= end:
            raise StillRunning(sessionId=str(session_id), retryAfter=5)
        await asyncio.sleep(LOOK_S)


def _stop(user: AbstractBaseUser, session_id: UUID, source: Source) -> None:
    settings.archive(user=user, session_id=session_id, source=source)
    with transaction.atomic():
        lifecycle.locked_for(user, session_id)
        for name in prompts.waiting(session_id).values_list("client_msg_id", flat=True):
            queue.withdraw(user=user, session_id=session_id, client_msg_id=name)
    request_interrupt(by=user.get_username(), session_id=session_id, stop=True)


def _is_erased(user: AbstractBaseUser, session_id: UUID, source: Source) -> bool:
    """Delete a session that no runner holds; return whether that was so."""
    with transaction.atomic():
        session = lifecycle.locked_for(user, session_id)
        if is_held(session, timezone.now()) or prompts.waiting(session_id).exists():
            return False
        named = list(session.blobs.values_list("sha256", flat=True))
        _delete_rows(session)
        blobs.forget(named)
        record(
            Act.SESSION_DELETED,
            who=user.get_username(),
            about=f"session:{session_id} of {user.get_username()}",
            source=source,
            head=session.head_seq,
        )
        transaction.on_commit(partial(_forget_files, session_id, session.cwd))
    return True


def _forget_files(session_id: UUID, cwd: str) -> None:
    """Remove the kept states of a session's folder, and the folder where no other chat has it.

    A folder of the person's own choice stays as it is.
    """
    folder = folders.of_session(session_id, cwd)
    try:
        shadow.forget(folder, session_id)
    except (NotKept, OSError):
        logger.warning("kept states stay", exc_info=True, extra={"session": str(session_id)})
    if folders.is_own(folder) and not Session.objects.filter(cwd=str(folder)).exists():
        shutil.rmtree(folder, ignore_errors=True)


def _delete_rows(session: Session) -> None:
    """Delete every row that names the session, whichever table it is in, and its own."""
    of_models = Session._meta.get_fields(include_hidden=True)  # noqa: SLF001 (documented API)
    for relation in of_models:
        if not isinstance(relation, models.ManyToOneRel):
            continue
        rows: models.QuerySet[Any] = models.QuerySet(relation.related_model).filter(
            **{relation.field.name: session.pk}
        )
        if relation.on_delete is models.SET_NULL:
            rows.update(**{relation.field.name: None})
        else:
            rows._raw_delete(rows.db)  # noqa: SLF001 (the log's own delete refuses)
    mine = Session.objects.filter(pk=session.pk)
    mine._raw_delete(mine.db)  # noqa: SLF001 (as above)
