"""The end of a worktree: a person merges, keeps or discards it; the log names the person."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction

from sessions.control import lifecycle, settings
from sessions.core.errors import (
    ChatError,
    InvalidTransition,
    UnknownWorktree,
    WorktreeConflict,
    WorktreeRefused,
)
from sessions.core.source import Source
from sessions.core.states import RunState
from sessions.eventlog import drafts, store
from sessions.models import Session, Worktree
from sessions.text.asking import one_line
from sessions.trail.record import NOWHERE, Act, record_chat
from sessions.workspace import folders
from sessions.workspace.changes.program import GitFailed
from sessions.workspace.roots import roots
from sessions.workspace.worktrees import bringing, ending, making
from sessions.workspace.worktrees.main import Main, opened_main

logger = logging.getLogger(__name__)

State = Worktree.State
STANDING: Final = (State.MADE, State.READY, State.KEPT)
_RECORDED: Final[dict[str, Act]] = {
    State.MERGED: Act.WORKTREE_MERGED,
    State.DISCARDED: Act.WORKTREE_DISCARDED,
}


def standing(user: AbstractBaseUser, session_id: UUID) -> tuple[Worktree, ending.Standing | None]:
    """Return the worktree of a chat and what would be lost with it; None once it has ended.

    Raises UnknownSession, UnknownWorktree, WorktreeRefused.
    """
    row = _row(user, session_id)
    if row.state not in STANDING:
        return row, None
    with _repository(row) as main:
        return row, _standing(row, main)


def keep(user: AbstractBaseUser, session_id: UUID) -> None:
    """Note that a worktree stays; the chat may work on in it."""
    row = _row(user, session_id)
    _idle(user, session_id, row)
    _end(user, row, State.KEPT, f"kept the branch {row.branch} and its folder")


def merge(user: AbstractBaseUser, session_id: UUID, *, source: Source = NOWHERE) -> None:
    """Merge the branch into the one that was checked out in the repository; remove the worktree.

    Raises as of `standing`, and InvalidTransition, WorktreeConflict.
    """
    row = _row(user, session_id)
    _idle(user, session_id, row)
    with _repository(row) as main:
        if row.state != State.ENDING:
            files = _standing(row, main).files
            if files:
                named = ", ".join(one_line(name) for name in files[:10])
                raise WorktreeConflict(f"Not committed yet: {named}.")
        if not row.target or row.target == row.branch:
            raise WorktreeConflict("The repository had no branch checked out to merge into.")
        if main.branch(row.branch):
            ending.merge(main, row.branch, row.target, user.get_username())
        _remove(row, main)
    did = f"merged the branch {row.branch} into {row.target}"
    _end(user, row, State.MERGED, did, source)
    settings.close(user=user, session_id=session_id)


def discard(
    user: AbstractBaseUser, session_id: UUID, digest: str, *, source: Source = NOWHERE
) -> None:
    """Remove a worktree and the branch that was made for it; digest: of what was shown as lost.

    Raises as of `standing`, and InvalidTransition, WorktreeConflict.
    """
    row = _row(user, session_id)
    _idle(user, session_id, row)
    with _repository(row) as main:
        if row.state != State.ENDING and _standing(row, main).digest != digest:
            raise WorktreeConflict("The worktree has changed since it was shown: look again.")
        _remove(row, main)
    _end(user, row, State.DISCARDED, f"discarded the branch {row.branch}", source)
    settings.close(user=user, session_id=session_id)


def settle_all() -> None:
    """Complete the merges that a dead server has left in the repositories of worktrees."""
    rows = Worktree.objects.filter(state__in=(*STANDING, State.ENDING))
    for repository in rows.values_list("repository", flat=True).distinct():
        try:
            with opened_main(repository, roots()) as main:
                bringing.settle(main)
        except (ChatError, GitFailed):
            logger.warning("a merge was not completed", exc_info=True)


@contextmanager
def _repository(row: Worktree) -> Iterator[Main]:
    """Open the repository of a worktree, with no merge left in the middle."""
    with opened_main(row.repository, roots()) as main:
        bringing.settle(main)
        yield main


def _row(user: AbstractBaseUser, session_id: UUID) -> Worktree:
    Session.objects.find(user, session_id)
    row = Worktree.objects.filter(session_id=session_id).first()
    if row is None:
        raise UnknownWorktree(sessionId=str(session_id))
    return row


def _idle(user: AbstractBaseUser, session_id: UUID, row: Worktree) -> None:
    session = Session.objects.find(user, session_id)
    if session.run_state != RunState.IDLE:
        raise InvalidTransition("Wait for the end of the turn, or stop it.")
    if row.state not in (*STANDING, State.ENDING):
        raise WorktreeConflict(f"The worktree is {row.state}.")


def _standing(row: Worktree, main: Main) -> ending.Standing:
    place = folders.own_folder(row.pk)
    try:
        return ending.standing(main, row.pk, place, row.branch, row.base, roots())
    except GitFailed as exc:
        raise WorktreeRefused("Git could not read the worktree.") from exc


def _remove(row: Worktree, main: Main) -> None:
    """Remove a worktree, and its branch where it was made for the chat."""
    row.state = State.ENDING
    row.save(update_fields=["state"])
    try:
        making.clear(main, folders.own_folder(row.pk))
        if row.is_new:
            making.forget(main, row.branch)
    except (GitFailed, OSError) as exc:
        raise WorktreeRefused("Git could not remove the worktree: try again.") from exc


def _end(
    user: AbstractBaseUser, row: Worktree, state: str, did: str, source: Source = NOWHERE
) -> None:
    """Store the end, its event and its entry, once."""
    with transaction.atomic():
        lifecycle.locked_for(user, row.pk)
        ended = Worktree.objects.filter(pk=row.pk).exclude(state=state).update(state=state)
        if ended:
            text = f"{user.get_username()} {did}."
            store.append(row.pk, [drafts.notice(kind=f"worktree_{state}", text=text)])
            if state in _RECORDED:
                facts = {"branch": row.branch, "target": row.target, "repository": row.repository}
                record_chat(_RECORDED[state], user, row.pk, source, **facts)
