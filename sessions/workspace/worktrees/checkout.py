"""Files of commits, written without the filters and drivers that a repository names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sessions.workspace.changes import program, repository
from sessions.workspace.worktrees.main import Main

# A large repository has to be written.
WRITE_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Plain:
    """Git that knows the objects of a repository, and nothing of its configuration."""

    main: Main
    own: Path

    def git(
        self,
        *words: str,
        tree: Path | None = None,
        index: str = "",
        more: dict[str, str] | None = None,
        may_differ: bool = False,
    ) -> str:
        """Return the output of a command. tree: the working tree. index: below the git directory.

        Raises GitFailed.
        """
        found = self.read(*words, tree=tree, index=index, more=more, may_differ=may_differ)
        return found.decode("utf-8", "replace").strip()

    def read(
        self,
        *words: str,
        tree: Path | None = None,
        index: str = "",
        more: dict[str, str] | None = None,
        may_differ: bool = False,
    ) -> bytes:
        """Return the output of a command as bytes, as of `git`. Raises GitFailed."""
        env = {
            "GIT_DIR": str(self.own),
            "GIT_OBJECT_DIRECTORY": f"{self.main.git_dir}/objects",
            **(more or {}),
        }
        if tree is not None:
            env |= {"GIT_WORK_TREE": str(tree), "GIT_INDEX_FILE": f"{self.main.git_dir}/{index}"}
        return program.run(
            *words,
            cwd=tree or self.own,
            env=env,
            descriptors=[self.main.common.descriptor],
            deadline_s=WRITE_S,
            may_differ=may_differ,
        )


@contextmanager
def plain(main: Main) -> Iterator[Plain]:
    """Make a git directory of our own for the time of some commands."""
    with program.own_folder() as own:
        (own / "refs").mkdir()
        (own / "objects").mkdir()
        (own / "config").write_text(repository.configuration(main.head))
        (own / "HEAD").write_text(f"{main.head}\n")
        yield Plain(main, own)
