"""Making a worktree, and removing it: both may be repeated after a kill at any step."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from sessions.core.errors import ChatError, WorktreeRefused
from sessions.workspace.worktrees.checkout import plain
from sessions.workspace.worktrees.main import Main


def base_of(main: Main, branch: str, start: str | None) -> str:
    """Return the commit that a worktree begins at. Raises WorktreeRefused.

    start: of a new branch, "" for HEAD; None: the branch exists.
    """
    known = main.branch(branch)
    if start is None:
        return known or _refuse(f"There is no branch {branch}.")
    if known:
        _refuse(f"There is a branch {branch} already.")
    base = main.commit(start) if start else main.head
    return base or _refuse(f"There is no branch or commit {start}.")


def make(main: Main, place: Path, branch: str, base: str, *, is_new: bool) -> None:
    """Make the worktree of a branch in place; a half-made one is made from its begin.

    Raises WorktreeRefused, GitFailed, OSError.
    """
    if is_new:
        _unlock(main, branch)
    if is_new and not main.branch(branch):
        main.git("update-ref", f"refs/heads/{branch}", base, "0" * len(base))
    clear(main, place)
    if main.trees_on(branch):
        _refuse(f"The branch {branch} is checked out elsewhere.")
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    # By force: git counts trees whose folder was deleted, too.
    main.git("worktree", "add", "--force", "--no-checkout", "--", str(place), branch)
    with plain(main) as git:
        index = f"worktrees/{place.name}/index"
        git.git("read-tree", "-u", "--reset", main.branch(branch), tree=place, index=index)


def clear(main: Main, place: Path) -> None:
    """Remove a worktree and git's record of it; its branch stays."""
    shutil.rmtree(place, ignore_errors=True)
    if place.exists():
        raise OSError(f"{place.name} cannot be removed")
    with suppress(ChatError), main.common.opened("worktrees") as records:
        if records.path == "worktrees" and records.is_folder:
            shutil.rmtree(place.name, dir_fd=records.descriptor, ignore_errors=True)


def forget(main: Main, branch: str) -> None:
    """Remove a branch. Raises GitFailed."""
    tip = main.branch(branch)
    if tip:
        _unlock(main, branch)
        main.git("update-ref", "-d", f"refs/heads/{branch}", tip)


def is_whole(place: Path) -> bool:
    """Return whether a folder is a worktree."""
    return (place / ".git").is_file()


def _unlock(main: Main, branch: str) -> None:
    """Remove the lock that a killed git has left on a branch of our own."""
    folder, _, name = f"refs/heads/{branch}".rpartition("/")
    with suppress(ChatError, OSError), main.common.opened(folder) as found:
        if found.is_folder and found.path == folder:
            os.unlink(f"{name}.lock", dir_fd=found.descriptor)


def _refuse(sentence: str) -> str:
    raise WorktreeRefused(sentence)
