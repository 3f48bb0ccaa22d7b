"""Going back to a prompt: files, messages or both; each can be undone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction

from sessions.control import lifecycle
from sessions.control.back import restores, target
from sessions.control.back.errors import (
    CheckpointFailed,
    CheckpointGone,
    RestoreRunning,
)
from sessions.control.back.target import Files
from sessions.core import storage
from sessions.core.db import in_thread
from sessions.core.source import Source
from sessions.core.tasks import TaskSet
from sessions.eventlog import store
from sessions.models import Restore, Session
from sessions.trail.record import NOWHERE, Act, record_chat
from sessions.workspace import roots
from sessions.workspace.checkpoints import restoring
from sessions.workspace.checkpoints.keeping import Room
from sessions.workspace.checkpoints.model import Busy, Checkpoint, NotKept


@dataclass(frozen=True, slots=True)
class Rewound:
    """The number of changed files, the paths that were left alone, the seq of the last event."""

    files: int = 0
    left: tuple[str, ...] = ()
    seq: int | None = None


# A client that leaves does not end a restore in the middle.
_running = TaskSet()


async def rewind(
    *,
    user: AbstractBaseUser,
    session_id: UUID,
    to: int,
    files: bool,
    chat: bool,
    source: Source = NOWHERE,
) -> Rewound:
    """Return to the state before a prompt. to: its seq, or that of an earlier return to undo.

    Repeated, it changes nothing. Raises UnknownSession, TurnRunning, RestoreRunning, FolderRefused,
    CheckpointGone, CheckpointFailed, and the errors of sessions.control.back.target.
    """
    session, allowed = await in_thread(_facts, user, session_id)
    if not files:
        return await in_thread(_taken_back, user, session_id, to, source)
    work = _restored(user, session, allowed, to, chat=chat, source=source)
    answer: asyncio.Future[Rewound] = asyncio.get_running_loop().create_future()
    _running.start(_answered(work, answer), name=f"rewind-{session_id}")
    return await asyncio.shield(answer)


async def _answered(work: Any, answer: asyncio.Future[Rewound]) -> None:
    try:
        result = await work
    except Exception as exc:
        if answer.cancelled():
            raise
        answer.set_exception(exc)
    else:
        if not answer.cancelled():
            answer.set_result(result)


async def _restored(
    user: AbstractBaseUser,
    session: Session,
    allowed: list[Path],
    to: int,
    *,
    chat: bool,
    source: Source,
) -> Rewound:
    await in_thread(target.require_idle, session)
    await restores.settle(session.pk)
    try:
        async with restores.room(session, allowed) as room:
            wanted = await in_thread(target.files_at, session, to)
            present = await _kept(room)
            differs = await restores.aside(partial(_differs, room, present.name, wanted.checkpoint))
            begin = partial(_begun, user, session.pk, to, wanted, present, source)
            row, seq = await in_thread(partial(begin, chat=chat, is_restore=differs))
            if row is None:
                return Rewound(seq=seq)
            outcome = await restores.complete(row, room)
            left = tuple(outcome.left)
            return Rewound(outcome.changed, left, await in_thread(store.get_head_seq, session.pk))
    except Busy as exc:
        raise RestoreRunning(sessionId=str(session.pk)) from exc
    except NotKept as exc:
        raise CheckpointGone(str(exc), sessionId=str(session.pk)) from exc


async def _kept(room: Room) -> Checkpoint:
    """Keep the present state: without it, a restore could not be undone."""
    try:
        return await restores.aside(room.keep)
    except NotKept as exc:
        why = f"The present state of the folder cannot be kept, so nothing was changed. {exc}"
        raise CheckpointFailed(why) from exc


def _differs(room: Room, present: str, wanted: str) -> bool:
    return bool(restoring.differing(room.shadow.tree(present), room.shadow.tree(wanted)))


def _facts(user: AbstractBaseUser, session_id: UUID) -> tuple[Session, list[Path]]:
    return Session.objects.find(user, session_id), roots.roots()


def _taken_back(user: AbstractBaseUser, session_id: UUID, to: int, source: Source) -> Rewound:
    _, seq = _begun(user, session_id, to, None, None, source, chat=True, is_restore=False)
    return Rewound(seq=seq)


def _begun(
    user: AbstractBaseUser,
    session_id: UUID,
    to: int,
    wanted: Files | None,
    present: Checkpoint | None,
    source: Source,
    *,
    chat: bool,
    is_restore: bool,
) -> tuple[Restore | None, int | None]:
    """Take the messages back and write the journal of the restore, both or none."""
    storage.require_room()
    by = user.get_username()
    with transaction.atomic():
        session = lifecycle.locked_for(user, session_id)
        target.require_idle(session)
        seq = _take_back(session, to, by=by) if chat else None
        if seq is not None or is_restore:
            facts = {"to": to, "messages": seq is not None, "files": is_restore}
            record_chat(Act.SESSION_REWOUND, user, session_id, source, **facts)
        if wanted is None or present is None or not is_restore:
            return None, seq
        return restores.begin(session, wanted, to, present, by=by), seq


def _take_back(session: Session, to: int, *, by: str) -> int | None:
    """Take messages back, and let the agent begin a session of its own that has not heard them."""
    if not (made := target.taking_back(session, to, by=by)):
        return None
    Session.objects.filter(pk=session.pk).update(agent_session_id="")
    return store.append(session.pk, made)[-1].seq
