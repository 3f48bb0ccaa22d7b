"""The repository that worktrees belong to: git on it, without anything that it could run.

Git reads the repository's configuration here, with the parts that name programs overridden: hooks,
monitors, transports. Files are never written this way: that is for a git directory of our own,
which knows no filters (checkout.py).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sessions.core.errors import ChatError, FileRefused, UnknownFile, WorktreeRefused
from sessions.workspace.changes import program, repository
from sessions.workspace.changes.program import GitFailed
from sessions.workspace.inside import Inside
from sessions.workspace.opening import opened

_NO_PROGRAMS: Final = (
    *("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "gc.auto=0"),
    *("-c", "maintenance.auto=0", "-c", "core.splitIndex=false", "-c", "core.bare=false"),
)
# Folders that git writes into: none of them may be a link that leads elsewhere.
_WRITTEN: Final = ("objects", "refs", "refs/heads", "logs", "logs/refs", "worktrees")


@dataclass(frozen=True, slots=True)
class Main:
    """An open repository. head: its commit. checked_out: its branch, "" where it has none."""

    top: Path
    common: Inside
    head: str
    checked_out: str

    @property
    def git_dir(self) -> str:
        """The git directory, by its descriptor: a link under its name changes nothing."""
        return f"/proc/self/fd/{self.common.descriptor}"

    def git(self, *words: str, deadline_s: float = program.DEADLINE_S, given: bytes = b"") -> str:
        """Return the output of a command that writes no files. Raises GitFailed."""
        found = program.run(
            *_NO_PROGRAMS,
            *words,
            cwd=self.top,
            env={"GIT_DIR": self.git_dir, "GIT_WORK_TREE": str(self.top)},
            descriptors=[self.common.descriptor],
            deadline_s=deadline_s,
            given=given,
        )
        return found.decode("utf-8", "replace").strip()

    def commit(self, name: str) -> str:
        """Return the commit that a name leads to, "" for none."""
        with suppress(GitFailed):
            return self.git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
        return ""

    def branch(self, name: str) -> str:
        """Return the commit of a branch, "" where there is no such branch."""
        return self.commit(f"refs/heads/{name}")

    def trees_on(self, name: str) -> list[str]:
        """Return the working trees that have a branch checked out; one that is gone has none."""
        found: list[str] = []
        place = ""
        for line in self.git("worktree", "list", "--porcelain").splitlines():
            word, _, rest = line.partition(" ")
            place = rest if word == "worktree" else place
            if line == f"branch refs/heads/{name}" and os.path.lexists(place):
                found.append(place)
        return found


@contextmanager
def opened_main(folder: str, allowed: list[Path]) -> Iterator[Main]:
    """Open the repository whose top is folder. Raises WorktreeRefused, FolderRefused."""
    with ExitStack() as stack:
        top = Inside(*stack.enter_context(opened(folder, allowed)))
        try:
            yield _main(top, allowed, stack)
        except (FileRefused, UnknownFile, GitFailed, OSError, ValueError) as exc:
            raise WorktreeRefused(f"Git could not work in {folder}.") from exc


def _main(top: Inside, allowed: list[Path], stack: ExitStack) -> Main:
    try:
        state = repository.state_of(top, allowed, stack)
        common = repository.common_of(state, allowed, stack)
        repository.check_objects(common, allowed)
        for name in _WRITTEN:
            _check_own(common, name)
        head = repository.head_of(state, common)
        checked_out = _branch_of(state)
    except (ChatError, OSError, ValueError) as exc:
        raise WorktreeRefused("This folder is no git repository that can be used.") from exc
    if head == repository.EMPTY:
        raise WorktreeRefused("The repository has no commit yet.")
    return Main(top.place, common, head, checked_out)


def _check_own(common: Inside, name: str) -> None:
    """Raise ValueError where a folder of a git directory is a link."""
    if os.path.lexists(common.place / name):
        with common.opened(name) as found:
            if found.path != name or not found.is_folder:
                raise ValueError("a link in the git directory")


def _branch_of(state: Inside) -> str:
    with state.opened("HEAD") as found:
        line = os.pread(found.descriptor, 4096, 0).decode("utf-8", "replace").strip()
    return line.removeprefix("ref: refs/heads/") if line.startswith("ref: refs/heads/") else ""
