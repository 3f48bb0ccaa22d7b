"""The branches of a repository, for a person who chooses one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sessions.core.errors import WorktreeRefused
from sessions.workspace.changes.program import GitFailed
from sessions.workspace.worktrees.main import opened_main
from sessions.workspace.worktrees.names import is_branch

# So many are named, the last changed first.
NAMED: Final = 200
_BELOW: Final = "refs/heads/"


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch. is_free: no working tree has it checked out, so a worktree may take it."""

    name: str
    is_free: bool


@dataclass(frozen=True, slots=True)
class Branches:
    """The branches of a repository. current: that of its folder, "" where it has none."""

    current: str
    branches: list[Branch]
    has_more: bool


def listed(folder: str, allowed: list[Path]) -> Branches:
    """Return the branches that git's rules allow. Raises WorktreeRefused, FolderRefused."""
    with opened_main(folder, allowed) as main:
        words = ("--sort=-committerdate", f"--count={NAMED + 1}", "--format=%(refname)")
        try:
            names = main.git("for-each-ref", *words, _BELOW).splitlines()
            trees = main.git("worktree", "list", "--porcelain").splitlines()
        except GitFailed as exc:
            raise WorktreeRefused("Git could not list the branches.") from exc
        current = main.checked_out
    taken = {line.removeprefix(f"branch {_BELOW}") for line in trees}
    found = [name.removeprefix(_BELOW) for name in names[:NAMED]]
    branches = [Branch(name, name not in taken) for name in found if is_branch(name)]
    return Branches(current if is_branch(current) else "", branches, len(names) > NAMED)
