"""One commit: made without hooks and signatures, then the branch moves to it."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Final

from sessions.core.errors import FileRefused
from sessions.workspace.changes import repository
from sessions.workspace.changes.locked import add_line, locked
from sessions.workspace.changes.refusals import RepositoryBusy
from sessions.workspace.changes.repository import EMPTY, Repository

_HALFWAY: Final = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply")
_NOT_IN_NAMES: Final = re.compile(r"[<>\x00-\x1f\x7f]+")


@dataclass(frozen=True, slots=True)
class Author:
    """The person behind a commit."""

    name: str
    email: str

    @property
    def line(self) -> str:
        """The author as a log of git names them."""
        return f"{self.name} <{self.email}> {int(time.time())} +0000"

    def variables(self) -> dict[str, str]:
        """Return the environment that tells git who commits."""
        return {
            f"GIT_{role}_{fact}": value
            for role in ("AUTHOR", "COMMITTER")
            for fact, value in (("NAME", self.name), ("EMAIL", self.email))
        }


def author(name: str, email: str) -> Author:
    """Return an author whose words git takes."""
    words = (" ".join(_NOT_IN_NAMES.sub(" ", word).split()) for word in (name, email))
    return Author(*(word or "unknown" for word in words))


def commit_of(found: Repository, tree_id: str, message: str, by: Author) -> str:
    """Return the id of a new commit on HEAD, which no branch has yet. Raises GitFailed."""
    if not repository.names(found.state).isdisjoint(_HALFWAY):
        raise FileRefused("A merge or rebase is under way: finish it with git itself.")
    parents = () if found.head == EMPTY else ("-p", found.head)
    made = found.git(
        *("commit-tree", tree_id, *parents),
        given=message.encode(),
        index=found.own / "next-index",
        more=by.variables(),
    )
    return made.decode().strip()


def advance(found: Repository, commit: str, message: str, by: Author) -> None:
    """Move the branch, or a HEAD without one, to a commit. Raises RepositoryBusy."""
    ref = repository.branch_of(found.state)
    place, path = (found.common, ref) if ref else (found.state, "HEAD")
    with locked(place, path) as replace:
        if repository.head_of(found.state, found.common) != found.head:
            raise RepositoryBusy("The branch has moved meanwhile: look at the changes again.")
        replace(f"{commit}\n".encode())
    old = "0" * len(commit) if found.head == EMPTY else found.head
    subject = message.strip().partition("\n")[0]
    line = f"{old} {commit} {by.line}\tcommit: {subject}\n".encode()
    add_line(found.state, "logs/HEAD", line)
    if ref:
        add_line(found.common, f"logs/{ref}", line)
