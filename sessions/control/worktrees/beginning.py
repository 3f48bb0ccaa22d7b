"""The begin of a worktree: checked with the first prompt, made before the agent starts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from django.db import transaction

from sessions.agents.registry import ALONE, Shared
from sessions.core.clean import clean_text
from sessions.core.errors import WorktreeRefused
from sessions.eventlog import drafts, store
from sessions.models import Session, Worktree
from sessions.projects import defaults
from sessions.workspace import folders, git
from sessions.workspace.changes.program import GitFailed
from sessions.workspace.roots import roots
from sessions.workspace.worktrees import making
from sessions.workspace.worktrees.main import Main, opened_main
from sessions.workspace.worktrees.names import is_branch

State = Worktree.State
OPEN: Final = (State.WANTED, State.MAKING, State.MADE, State.READY, State.KEPT)
_GONE: Final = "The worktree of this chat was {state}. Begin another chat."


@dataclass(frozen=True, slots=True)
class Wanted:
    """A worktree to make. start: of a new branch, "" for HEAD; None: the branch exists."""

    branch: str
    start: str | None


@dataclass(frozen=True, slots=True)
class SetUp:
    """A script to run once in a new worktree, as the agent would run it."""

    script: str
    agent: str
    account: str
    folder: Path
    shared: Shared


def check(wanted: Wanted, folder: Path | None) -> None:
    """Refuse a worktree that cannot be: without a repository, or under no name of git's."""
    if folder is None:
        raise WorktreeRefused("A worktree belongs to a folder or a project: name one.")
    if not git.is_repository(folder):
        raise WorktreeRefused("This folder is no git repository: it has no worktrees.")
    for name in filter(None, (wanted.branch, wanted.start)):
        if not is_branch(name):
            raise WorktreeRefused(f"{clean_text(name)!r} is no name of a branch or a commit.")


def beside(origin: Session, wanted: Wanted) -> tuple[Path | None, Wanted]:
    """Return the repository of a chat, and a worktree of it that begins where the chat works.

    A chat in a worktree works on its branch. Raises FolderRefused.
    """
    place = Path(origin.cwd)
    if not folders.is_own(place):
        return folders.check(origin.cwd), wanted
    row = Worktree.objects.filter(session_id=place.name).first()
    if row is None:
        return None, wanted
    start = row.branch if wanted.start == "" and row.state in OPEN else wanted.start
    return Path(row.repository), Wanted(wanted.branch, start)


def is_wanted(session_id: UUID, wanted: Wanted | None) -> bool:
    """Return whether a chat was begun with this worktree, None for none."""
    row = Worktree.objects.filter(session_id=session_id).first()
    if row is None or wanted is None:
        return row is None and wanted is None
    is_new = wanted.start is not None
    is_same = (row.branch, row.is_new) == (wanted.branch, is_new)
    return is_same and (not wanted.start or wanted.start == row.start)


def want(session: Session, wanted: Wanted, folder: Path) -> None:
    """Store the worktree of a new chat; its runner makes it."""
    Worktree.objects.create(
        session=session,
        repository=str(folder),
        branch=wanted.branch,
        is_new=wanted.start is not None,
        start=wanted.start or "",
    )


def prepare(session: Session) -> tuple[Path, Path, Shared]:
    """Return the folder of a chat, ready for its agent; its source; the paths that git needs.

    source: the repository of a worktree, else the folder. Raises FolderRefused, WorktreeRefused.
    """
    row = Worktree.objects.filter(session_id=session.pk).first()
    if row is None:
        folder = folders.prepare(session.pk, session.cwd)
        return folder, folder, ALONE
    if row.state not in OPEN:
        raise WorktreeRefused(_GONE.format(state=row.state))
    place = folders.own_folder(session.pk)
    with opened_main(row.repository, roots()) as main:
        _make(row, main, place)
        return place, main.top, _shared(main, place)


def set_up_of(session_id: UUID) -> SetUp | None:
    """Return the script that a worktree still needs, if there is one."""
    row = Worktree.objects.filter(session_id=session_id, state=State.MADE).first()
    if row is None:
        return None
    session = Session.objects.select_related("project", "owner").get(pk=session_id)
    script = defaults.of(session.project)["setUpScript"] if session.project else ""
    if not script.strip():
        is_set_up(session_id)
        return None
    place, _, shared = prepare(session)
    return SetUp(script, session.agent, session.owner.get_username(), place, shared)


def is_set_up(session_id: UUID) -> None:
    """Note that the script of a worktree has ended."""
    Worktree.objects.filter(session_id=session_id, state=State.MADE).update(state=State.READY)


def _make(row: Worktree, main: Main, place: Path) -> None:
    """Make what is missing of a worktree. Raises WorktreeRefused."""
    if row.state == State.WANTED:
        row.base = making.base_of(main, row.branch, row.start if row.is_new else None)
        row.target = main.checked_out
        _move(row, State.MAKING)
    if row.state == State.MAKING or not making.is_whole(place):
        is_first = row.state == State.MAKING
        if not is_first and place.exists() and any(place.iterdir()):
            raise WorktreeRefused("The folder of this chat is no worktree any more.")
        try:
            is_new = row.is_new and is_first
            making.make(main, place, row.branch, row.base, is_new=is_new)
        except (GitFailed, OSError) as exc:
            raise WorktreeRefused(f"Git could not make the worktree of {row.branch}.") from exc
        if is_first:
            with transaction.atomic():
                _move(row, State.MADE)
                at = row.base[: git.SHORT_COMMIT]
                text = f"The chat works in a worktree on the branch {row.branch}, from {at}."
                store.append(row.pk, [drafts.notice(kind="worktree_made", text=text)])


def _move(row: Worktree, state: str) -> None:
    row.state = state
    row.save(update_fields=["state", "base", "target"])


def _shared(main: Main, place: Path) -> Shared:
    """Return the parts of a repository that commits need: neither its hooks nor its settings."""
    common = main.common.place
    for name in ("logs", "logs/refs"):
        (common / name).mkdir(exist_ok=True)
    write = ("objects", "refs", "logs", f"worktrees/{place.name}")
    return Shared((str(common),), tuple(str(common / name) for name in write))
