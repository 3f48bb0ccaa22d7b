"""States of a folder that are kept: whole, cheap, without the person's git, and within bounds."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from sessions.workspace.checkpoints import contents, keeping, restoring
from sessions.workspace.checkpoints import shadow as shadows
from sessions.workspace.checkpoints.model import EMPTY, Checkpoint, NotKept


@pytest.fixture(autouse=True)
def data(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path / "data"
    settings.DATA_DIR.mkdir()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "project"
    place.mkdir()
    return place


def git(folder: Path, *words: str) -> str:
    command = ["git", "-c", "user.name=n", "-c", "user.email=e@example.org", *words]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def in_git(folder: Path) -> None:
    git(folder, "init", "-q")
    (folder / "followed.txt").write_text("first\r\nsecond\n")
    (folder / ".gitignore").write_text("*.log\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")


class Kept:
    """One chat in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.id: UUID = uuid4()

    def keep(self) -> Checkpoint:
        return keeping.keep(self.id, str(self.folder), [self.folder.parent])

    def restore(self, wanted: Checkpoint, present: Checkpoint | None = None) -> restoring.Outcome:
        with keeping.room(self.id, str(self.folder), [self.folder.parent]) as room:
            assert room is not None
            shadow = room.shadow
            before = shadow.tree((present or room.keep()).name)
            return restoring.apply(
                shadow, room.folder, before, shadow.tree(wanted.name), token="token"
            )

    def files(self) -> dict[str, Any]:
        """Return the folder as it is: texts, targets of links, and permissions of odd files."""
        found: dict[str, Any] = {}
        for path in sorted(self.folder.rglob("*")):
            name = str(path.relative_to(self.folder))
            if name.startswith(".git/") or (path.is_dir() and not path.is_symlink()):
                continue
            mode = stat.S_IMODE(path.lstat().st_mode)
            found[name] = path.readlink() if path.is_symlink() else (path.read_bytes(), mode)
        return found


@pytest.fixture(params=["git", "no git"])
def kept(request: Any, folder: Path) -> Kept:
    if request.param == "git":
        in_git(folder)
    return Kept(folder)


def work(folder: Path) -> None:
    """Fill a folder with everything that a state has."""
    (folder / "a.txt").write_text("one\n")
    (folder / "secret.txt").write_text("key\n")
    (folder / "secret.txt").chmod(0o600)
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "deep/er").mkdir(parents=True)
    (folder / 'deep/er/odd "name"\\\n.txt').write_bytes(b"\r\n\0\xff")
    (folder / os.fsdecode(b"bytes-\xff")).write_text("bytes")
    (folder / "link").symlink_to("/etc/passwd")
    (folder / ".gitattributes").write_text("* text=auto eol=lf filter=evil\n")


def spoil(folder: Path) -> None:
    """Change a folder in every way."""
    (folder / "a.txt").unlink()
    (folder / "a.txt").mkdir()
    (folder / "a.txt/inner").write_text("a folder where a file was")
    (folder / "secret.txt").unlink()
    (folder / "run.sh").chmod(0o644)
    (folder / "link").unlink()
    (folder / "link").write_text("a file where a link was")
    (folder / 'deep/er/odd "name"\\\n.txt').unlink()
    (folder / "deep/er").rmdir()
    (folder / "deep/er").write_text("a file where a folder was")
    (folder / "new/one").mkdir(parents=True)
    (folder / "new/one/file").write_text("new")


def test_a_state_comes_back_whole_and_the_restore_can_be_undone(kept: Kept) -> None:
    work(kept.folder)
    before, first = kept.files(), kept.keep()
    assert kept.keep() == first
    spoil(kept.folder)
    spoiled, second = kept.files(), kept.keep()
    outcome = kept.restore(first)
    assert (outcome.left, kept.files()) == ([], before)
    assert not (kept.folder / "new").exists(), "a folder that was left empty is still there"
    assert kept.restore(first).changed == 0
    assert kept.restore(second).left == []
    assert kept.files() == spoiled


def test_the_person_s_git_is_as_it_was(folder: Path) -> None:
    in_git(folder)
    (folder / "followed.txt").write_text("staged")
    git(folder, "add", ".")
    hooks = folder / ".git/hooks"
    for name in ("pre-commit", "post-commit", "reference-transaction", "post-checkout"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {folder}/ran-{name}\n")
        (hooks / name).chmod(0o755)
    with (folder / ".git/config").open("a") as config:
        config.write(f'[filter "evil"]\n\tclean = touch {folder}/ran-filter\n')
        config.write(f"[core]\n\tfsmonitor = touch {folder}/ran-monitor\n")
    (folder / ".gitattributes").write_text("* filter=evil\n")

    def state() -> dict[str, Any]:
        inner = {p: p.read_bytes() for p in (folder / ".git").rglob("*") if p.is_file()}
        return {str(path): data for path, data in inner.items()}

    before, kept = state(), Kept(folder)
    first = kept.keep()
    (folder / "followed.txt").write_text("changed")
    kept.restore(first)
    assert state() == before
    assert (folder / "followed.txt").read_text() == "staged"
    assert [path.name for path in folder.glob("ran-*")] == []


def test_ignored_files_are_not_kept_and_stay(folder: Path) -> None:
    in_git(folder)
    kept = Kept(folder)
    first = kept.keep()
    (folder / "out.log").write_text("the person's own")
    (folder / "followed.txt").unlink()
    (folder / "followed.txt").mkdir()
    (folder / "followed.txt/out.log").write_text("in the way")
    outcome = kept.restore(first)
    assert outcome.left == ["followed.txt"]
    assert (folder / "out.log").read_text() == "the person's own"
    assert (folder / "followed.txt/out.log").read_text() == "in the way"


def test_a_file_that_is_written_meanwhile_is_left_alone(kept: Kept) -> None:
    (kept.folder / "a.txt").write_text("old")
    (kept.folder / "b.txt").write_text("old")
    first = kept.keep()
    (kept.folder / "a.txt").write_text("new")
    (kept.folder / "b.txt").write_text("new")
    (kept.folder / "c.txt").write_text("new")
    present = kept.keep()
    (kept.folder / "a.txt").write_text("the person's own words")
    (kept.folder / "c.txt").write_text("the person's own words")
    assert kept.restore(first, present).left == ["c.txt", "a.txt"]
    assert (kept.folder / "a.txt").read_text() == "the person's own words"
    assert (kept.folder / "b.txt").read_text() == "old"
    assert (kept.folder / "c.txt").read_text() == "the person's own words"


def test_links_lead_nothing_out(kept: Kept, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("not ours")
    (kept.folder / "inner").mkdir()
    (kept.folder / "inner/file").write_text("ours")
    first = kept.keep()
    (kept.folder / "inner/file").unlink()
    (kept.folder / "inner").rmdir()
    (kept.folder / "inner").symlink_to(outside)
    present = kept.keep()
    assert present.files == first.files
    (kept.folder / "inner").unlink()
    (kept.folder / "inner").symlink_to(tmp_path)  # changed meanwhile: it stays
    assert kept.restore(first, present).left == ["inner", "inner/file"]
    (kept.folder / "inner").unlink()
    (kept.folder / "inner").symlink_to(outside)
    assert kept.restore(first, present).left == []
    assert (kept.folder / "inner/file").read_text() == "ours"
    assert [(outside / "file").read_text(), len(list(outside.iterdir()))] == ["not ours", 1]


def test_special_files_closed_ones_and_large_ones_are_left_out(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "MAX_FILE_BYTES", 1000)
    os.mkfifo(kept.folder / "pipe")
    (kept.folder / "large").write_bytes(b"x" * 1001)
    (kept.folder / "inner").mkdir()
    in_git(kept.folder / "inner")  # a repository of its own
    first = kept.keep()
    assert first.left_out == 1
    (kept.folder / "small").write_text("new")
    assert kept.restore(first).left == []
    assert (kept.folder / "large").stat().st_size == 1001
    assert stat.S_ISFIFO((kept.folder / "pipe").stat().st_mode)


def test_bounds_are_told(kept: Kept, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.CHAT = {"CHECKPOINT_MB": 1}
    (kept.folder / "data").write_bytes(b"x" * 1_000_001)
    with pytest.raises(NotKept, match="more than 1 MB"):
        kept.keep()
    monkeypatch.setattr(keeping, "READ_S", -1.0)
    (kept.folder / "data").write_bytes(b"x")
    with pytest.raises(NotKept, match="too slow"):
        kept.keep()


def test_an_empty_folder_and_one_that_is_not_there_yet(folder: Path) -> None:
    kept = Kept(folder)
    first = kept.keep()
    assert first == Checkpoint(EMPTY, 0)
    (folder / "new").write_text("new")
    assert kept.restore(first).changed == 1
    assert list(folder.iterdir()) == []
    assert keeping.keep(uuid4(), "", []) == Checkpoint(EMPTY, 0)


def test_old_states_go_and_the_others_stay(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadows, "MAX_KEPT", 2)
    one, other = Kept(folder), Kept(folder)
    made = []
    for number in range(4):
        (folder / "file").write_text(f"state {number}")
        made.append(one.keep())
        if not number:
            other.keep()
    with shadows.opened(folder) as shadow:
        assert [shadow.has(each.name) for each in made] == [True, False, True, True]
    with pytest.raises(NotKept, match="not kept any more"):
        one.restore(made[1])
    assert (folder / "file").read_text() == "state 3"
    one.restore(made[2])
    assert (folder / "file").read_text() == "state 2"
    shadows.forget(folder, one.id)
    other.restore(made[0])
    assert (folder / "file").read_text() == "state 0"
    shadows.forget(folder, other.id)
    with shadows.opened(folder) as shadow:
        assert list(shadow.home.parent.iterdir()) == [shadow.home]
        assert not shadow.known()


def test_states_of_a_folder_that_is_not_used_any_more_go(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Kept(folder)
    (folder / "file").write_text("text")
    first = kept.keep()
    shadows.forget_unused()
    with shadows.opened(folder) as shadow:
        assert shadow.has(first.name)
    monkeypatch.setattr(shadows, "UNUSED_S", -60.0)
    shadows.forget_unused()
    with shadows.opened(folder) as shadow:
        assert not shadow.has(first.name)


def test_facts_that_name_lost_contents_are_forgotten(folder: Path) -> None:
    kept = Kept(folder)
    (folder / "file").write_text("text")
    kept.keep()
    with shadows.opened(folder) as shadow:
        facts = (folder / "file").stat()
        row = [facts.st_size, facts.st_ctime_ns, facts.st_mode, "0" * 40]
        shadow.remember({"files": {"file": row}, "trees": {}})
    (folder / "other").write_text("more")
    second = kept.keep()
    (folder / "file").write_text("another")
    kept.restore(second)
    assert (folder / "file").read_text() == "text"


STEPS: list[str] = ["unlink", "rmdir", "symlink", "open", "fchmod", "replace"]


def die_at(number: int) -> None:
    """Let this process die at its next call but so many that works on files."""
    left = [number]
    for name in STEPS:
        whole = getattr(os, name)

        def step(*args: Any, whole: Any = whole, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                os._exit(9)
            return whole(*args, **kwargs)

        setattr(os, name, step)


def test_killed_at_each_step_a_restore_completes_itself(folder: Path) -> None:
    kept = Kept(folder)
    work(folder)
    before, first = kept.files(), kept.keep()
    deaths = 0
    while True:
        spoil(folder)
        present = kept.keep()
        child = os.fork()
        if not child:
            die_at(deaths)
            kept.restore(first, present)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert kept.restore(first, present).left == []
        assert kept.files() == before
        if not status:
            break
        deaths += 1
    assert deaths > 30
