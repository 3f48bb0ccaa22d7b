"""The end of a worktree: the work that would be lost with it, and its merge."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from sessions.core.errors import WorktreeConflict
from sessions.workspace import inside
from sessions.workspace.changes import repository
from sessions.workspace.changes.program import GitFailed
from sessions.workspace.worktrees import bringing
from sessions.workspace.worktrees.checkout import Plain, plain
from sessions.workspace.worktrees.main import Main

# So many files and commits are named.
NAMED: Final = 100


@dataclass(frozen=True, slots=True)
class Standing:
    """A worktree now. files: not committed. commits: on no other branch or tag, the youngest first.

    added, removed: lines since its begin. digest: of all that would be lost.
    """

    files: list[str]
    commits: list[str]
    added: int
    removed: int
    digest: str


def standing(
    main: Main, session_id: UUID, place: Path, branch: str, base: str, allowed: list[Path]
) -> Standing:
    """Return how a worktree stands. Raises GitFailed."""
    with inside.of_session(session_id, str(place), allowed) as folder:
        if folder is None:
            raise GitFailed("there is no folder")
        with repository.found(folder, allowed) as own:
            if own is None:
                raise GitFailed("there is no worktree")
            words = ("status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=all")
            told = own.git(*words).decode("utf-8", "replace")
            lines = own.git("diff", "--numstat", "--no-renames", base).decode("utf-8", "replace")
            commits = _alone(main, branch, own.head)
    files = [row[3:] for row in told.split("\0") if row]
    counts = [line.split("\t")[:2] for line in lines.splitlines()]
    sums = [sum(int(row[n]) for row in counts if row[n].isdecimal()) for n in (0, 1)]
    digest = hashlib.sha256("\0".join([told, *commits]).encode()).hexdigest()
    return Standing(files[: NAMED + 1], commits, sums[0], sums[1], digest)


def _alone(main: Main, branch: str, head: str) -> list[str]:
    """Return the commits of a worktree that no other branch, remote or tag has."""
    others = ("--not", f"--exclude={branch}", "--branches", "--remotes", "--tags")
    words = ("rev-list", f"--max-count={NAMED + 1}", "--no-commit-header", "--format=%h %s")
    return main.git(*words, f"refs/heads/{branch}", head, *others).splitlines()


def merge(main: Main, branch: str, target: str, who: str) -> None:
    """Merge a branch into target, with the files of target's folder where it is checked out there.

    May be repeated after a kill. Raises WorktreeConflict, GitFailed.
    """
    old, tip = main.branch(target), main.branch(branch)
    if not old or not tip:
        raise WorktreeConflict(f"There is no branch {target if tip else branch} any more.")
    elsewhere = [tree for tree in main.trees_on(target) if Path(tree) != main.top]
    if elsewhere:
        raise WorktreeConflict(f"The branch {target} is checked out in another folder.")
    with plain(main) as git:
        new = _merged(git, branch, target, (old, tip), who)
        bringing.bring(git, bringing.Way(target, old, new))


def _merged(git: Plain, branch: str, target: str, tips: tuple[str, str], who: str) -> str:
    """Return the commit of a merge; no file is written. Raises WorktreeConflict."""
    old, tip = tips
    base = git.main.git("merge-base", old, tip)
    if base == tip:
        return old
    if base == old:
        return tip
    words = ("merge-tree", "--write-tree", "--name-only", "--no-messages")
    tree, *conflicts = git.git(*words, old, tip, may_differ=True).splitlines()
    if conflicts:
        named = ", ".join(conflicts[:10])
        raise WorktreeConflict(f"Both {target} and {branch} have changed {named}.")
    person = {"NAME": who, "EMAIL": "backstay@localhost"}
    more = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in person.items()}  # fmt: skip  # noqa: E501
    message = f"Merge branch '{branch}' into {target}"
    return git.git("commit-tree", tree, "-p", old, "-p", tip, "-m", message, more=more)
