"""The repository of a run, in which chats get worktrees of their own."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from lab.chaos.evidence import RepositoryEvidence

BRANCH: Final = "main"
# Of chats: a branch that the run itself has made is none of them.
OF_CHATS: Final = "work/"
_PERSON: Final = (("user.name", "Ada"), ("user.email", "ada@localhost"), ("gc.auto", "0"))
# Notes and locks of an unfinished merge, worktree or commit.
_LEFT: Final = ("*.lock", "backstay-merge", "index.backstay*")


def make(folder: Path) -> None:
    """Make the repository with one commit."""
    folder.mkdir(parents=True)
    _git(folder, "init", "-q", "-b", BRANCH)
    for name, value in _PERSON:
        _git(folder, "config", name, value)
    (folder / "README").write_text("The repository of a run.\n")
    _git(folder, "add", "-A")
    _git(folder, "commit", "-qm", "begin")


def look(folder: Path, refused: Sequence[str]) -> RepositoryEvidence:
    """Return the repository as it is. refused: worktrees that could not be removed."""
    inner = folder / ".git"
    locks = [str(path.relative_to(inner)) for name in _LEFT for path in inner.rglob(name)]
    trees = _git(folder, "worktree", "list", "--porcelain").split("\n\n")
    branches = _git(folder, "for-each-ref", "--format=%(refname:short)", f"refs/heads/{OF_CHATS}")
    return RepositoryEvidence(
        refused=list(refused),
        locks=sorted(locks),
        changed=_git(folder, "status", "--porcelain").splitlines(),
        trees=[tree.partition("\n")[0] for tree in trees[1:] if tree.strip()],
        branches=branches.split(),
        files=set(_git(folder, "ls-tree", "-r", "--name-only", BRANCH).splitlines()),
    )


def _git(folder: Path, *words: str) -> str:
    command = ["git", *words]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout
