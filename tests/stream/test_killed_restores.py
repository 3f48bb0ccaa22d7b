"""A restore is killed at each of its steps: the folder is old or new, and undo works."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab.rig.json_lines import Peer
from lab.rig.processes import ProcessEnded
from lab.rig.servers import DATABASE_FILE, environment_of
from lab.rig.waiting import PATIENCE_S
from tests.db.test_worktrees import commit, git


class Servers:
    """One server after the other, on the same data."""

    def __init__(self, folder: Path) -> None:
        self._environment = environment_of(folder) | {"CHAT_WORKSPACE_ROOTS": str(folder)}
        self._log = folder / "server.log"

    @contextmanager
    def server(self) -> Iterator[Peer]:
        peer = Peer(
            "tests.support.restoring", environment=self._environment, log=self._log, is_warm=True
        )
        try:
            yield peer
        finally:
            peer.close()

    def call(self, function: str, **arguments: Any) -> Any:
        """Make a call to a server of its own."""
        with self.server() as peer:
            return peer.call(function, within_s=PATIENCE_S, **arguments)

    def is_killed(self, **arguments: Any) -> bool:
        """Restore in a server of its own; return whether it was killed before its end."""
        try:
            self.call("restore", **arguments)
        except ProcessEnded:
            return True
        return False


def spoil(folder: Path) -> None:
    """Change a folder in every way that a restore has to take back."""
    (folder / "changed.txt").write_text("after\n")
    (folder / "gone.txt").unlink()
    (folder / "inner/file.txt").unlink()
    (folder / "inner").rmdir()
    (folder / "inner").write_text("a file where a folder was\n")
    (folder / "link").unlink()
    (folder / "link").symlink_to("changed.txt")
    (folder / "new/deep").mkdir(parents=True)
    (folder / "new/deep/file.txt").write_text("new\n")


def files(folder: Path) -> dict[str, Any]:
    """Return all of a folder but git's own part."""
    return {
        name: path.readlink() if path.is_symlink() else path.is_dir() or path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if not (name := str(path.relative_to(folder))).startswith(".git/")
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "project"
    (made / "inner").mkdir(parents=True)
    (made / "inner/file.txt").write_text("inner\n")
    (made / "changed.txt").write_text("before\n")
    (made / "gone.txt").write_text("gone\n")
    (made / "link").symlink_to("gone.txt")
    git(made, "init", "-q", "-b", "main")
    commit(made, "followed.txt", "one\n")
    return made


@pytest.fixture
def servers(tmp_path: Path, migrated: Path) -> Servers:
    (tmp_path / "data").mkdir(mode=0o700)
    shutil.copyfile(migrated, tmp_path / "data" / DATABASE_FILE)
    return Servers(tmp_path)


def test_killed_at_each_step_the_folder_is_old_or_new(servers: Servers, folder: Path) -> None:
    new = files(folder)
    chat = servers.call("begin", folder=str(folder))
    spoil(folder)
    old = files(folder)
    killed_old = killed_new = step = 0
    while servers.is_killed(**chat, last=step):
        with servers.server() as peer:
            peer.call("start_again", within_s=PATIENCE_S)
            told = peer.call("told", session=chat["session"], within_s=PATIENCE_S)
            assert (told["problems"], told["unfinished"]) == ([], 0), f"step {step}"
            is_new = len(told["restored"]) > 2 * killed_new
            assert files(folder) == (new if is_new else old), f"step {step}"
            killed_new += is_new
            killed_old += not is_new
            if is_new:
                undo = {"session": chat["session"], "to": told["restored"][-1]}
                peer.call("restore", **undo, within_s=PATIENCE_S)
                assert files(folder) == old, f"step {step}"
        step += 1
    assert files(folder) == new
    print(f"{killed_old} kills left the old folder, {killed_new} the new one")
    assert killed_old > 3
    assert killed_new > 10
