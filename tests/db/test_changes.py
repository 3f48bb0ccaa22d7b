"""Changes of a chat's folder: each kind, told by git and by the page."""

import os
from pathlib import Path

import pytest

from sessions.eventlog import store
from sessions.models import Session
from sessions.workspace.changes import model
from tests.db.reviewing import (
    Reviewer,
    ada,
    change_everything,
    contents,
    git,
    repository,
    root,
)

__all__ = ["ada", "repository", "root"]

pytestmark = pytest.mark.django_db(transaction=True)


def test_git_tells_each_kind_of_change(ada: Reviewer, repository: Path, settings) -> None:
    settings.CHAT = settings.CHAT | {"FILE_BYTES": 4_000}
    ada.begin()
    assert ada.ask()["files"] == []
    change_everything(repository)
    (repository / "moved.txt").rename(repository / "place.txt")
    told = ada.ask()
    assert (told["basis"], told["since"], told["hasHead"]) == ("git", "chat", True)
    assert told["startedAt"].endswith("Z")
    assert ada.rows() == {
        "gone.txt": ("deleted", 0, 1),
        "kept.txt": ("modified", 2, 1),
        "large.txt": ("tooLarge", None, None),
        "picture.bin": ("binary", None, None),
        "place.txt": ("renamed", 0, 0),
        "sub/new.txt": ("new", 2, 0),
    }
    assert [row["oldPath"] for row in told["files"] if row["oldPath"]] == ["moved.txt"]
    assert ada.diff("kept.txt") == [" one", "-two", "+2", " three", "+four"]
    assert ada.diff("gone.txt") == ["-x"]
    assert ada.diff("sub/new.txt") == ["+a", "+b", "\\ No newline at end of file"]
    assert ada.ask(path="picture.bin")["diff"]["why"] == "This file is not text."
    assert "too large" in ada.ask(path="large.txt")["diff"]["why"]
    assert ada.ask(path="nothing.txt")["diff"] is None


def test_a_commit_of_the_agent_is_a_change_of_the_chat_and_not_of_head(
    ada: Reviewer, repository: Path
) -> None:
    ada.begin()
    (repository / "kept.txt").write_text("other\n")
    git(repository, "commit", "-am", "by the agent")
    assert ada.rows() == {"kept.txt": ("modified", 1, 3)}
    assert ada.rows(since="head") == {}
    assert ada.diff("kept.txt")[-1] == "+other"


def test_files_that_differed_at_the_start_are_compared_with_their_content_of_then(
    ada: Reviewer, repository: Path
) -> None:
    (repository / "kept.txt").write_text("mine\n")
    (repository / "draft.txt").write_text("draft\n")
    (repository / "gone.txt").unlink()
    ada.begin()
    assert ada.rows() == {}
    assert set(ada.rows(since="head")) == {"kept.txt", "draft.txt", "gone.txt"}
    os.utime(repository / "kept.txt", (1, 1))
    assert ada.rows() == {}
    git(repository, "checkout", "kept.txt")  # the agent throws a person's work away
    (repository / "draft.txt").unlink()
    (repository / "gone.txt").write_text("x\n")
    assert ada.rows() == {
        "draft.txt": ("deleted", 0, 1),
        "gone.txt": ("new", 1, 0),
        "kept.txt": ("modified", 3, 1),
    }
    assert ada.diff("kept.txt") == ["-mine", "+one", "+two", "+three"]


def test_a_repository_without_a_commit_has_only_new_files(ada: Reviewer, root: Path) -> None:
    git(root, "init")
    (root / "a.txt").write_text("a\n")
    assert ada.rows(since="head") == {"a.txt": ("new", 1, 0)}


def test_packed_refs_worktrees_and_folders_below_the_top_are_read(
    ada: Reviewer, repository: Path
) -> None:
    git(repository, "branch", "feature/ü")
    git(repository, "pack-refs", "--all")
    side = repository.parent / "side"
    git(repository, "worktree", "add", str(side), "feature/ü")
    (side / "kept.txt").write_text("side\n")
    (repository / "deep").mkdir()
    (repository / "deep" / "a.txt").write_text("a\n")
    (repository / "kept.txt").write_text("top\n")
    Session.objects.update(cwd=str(side))
    assert ada.rows(since="head") == {"kept.txt": ("modified", 1, 3)}
    Session.objects.update(cwd=str(repository / "deep"))
    assert ada.rows(since="head") == {"a.txt": ("new", 1, 0)}
    assert ada.diff("a.txt", since="head") == ["+a"]


def test_a_file_that_only_the_index_has_lost_is_compared_all_the_same(
    ada: Reviewer, repository: Path
) -> None:
    ada.begin()
    git(repository, "rm", "--cached", "kept.txt", "moved.txt")
    (repository / "moved.txt").write_text("other\n")
    assert ada.rows() == {"moved.txt": ("modified", 1, 40)}


def test_five_thousand_changed_lines_have_a_diff(ada: Reviewer, repository: Path) -> None:
    (repository / "kept.txt").write_text("".join(f"old {n}\n" for n in range(5_000)))
    ada.begin()
    (repository / "kept.txt").write_text("".join(f"new {n}\n" for n in range(5_000)))
    assert ada.rows() == {"kept.txt": ("modified", 5_000, 5_000)}
    assert len(ada.diff("kept.txt")) == 10_000


def test_a_list_has_a_bound(ada: Reviewer, repository: Path, monkeypatch) -> None:
    ada.begin()
    for number in range(1_200):
        (repository / f"{number:04}").touch()
    told = ada.ask()
    assert (len(told["files"]), told["hasMore"]) == (model.MAX_ROWS, True)


def test_without_git_as_a_program_the_page_still_has_a_diff(
    ada: Reviewer, root: Path, monkeypatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    (root / "a.txt").write_text("one\n")
    ada.begin()
    (root / "a.txt").write_text("two\n")
    assert ada.rows() == {"a.txt": ("modified", None, None)}
    assert ada.diff("a.txt") == ["-one", "+two"]


@pytest.mark.parametrize("has_git", [True, False])
def test_a_discarded_file_is_what_it_was(ada: Reviewer, root: Path, *, has_git: bool) -> None:
    if has_git:
        git(root, "init")
    (root / "sub").mkdir()
    for name in ("kept.txt", "sub/gone.txt", "moved.txt"):
        (root / name).write_text(f"{name}\n" * 20)
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    (root / "link").symlink_to("kept.txt")
    (root / "picture.bin").write_bytes(b"\0old")
    if has_git:
        git(root, "add", ".")
        git(root, "commit", "-m", "first")
    ada.begin()
    before = contents(root)
    (root / "kept.txt").write_text("other")
    (root / "run.sh").unlink()
    (root / "sub/gone.txt").unlink()
    (root / "sub").rmdir()
    (root / "moved.txt").rename(root / "place.txt")
    (root / "link").unlink()
    (root / "link").write_text("no link")
    (root / "picture.bin").write_bytes(b"\0new")
    (root / "new.txt").write_text("new")
    if has_git:
        git(root, "add", "-A")
    paths = ("kept.txt", "run.sh", "sub/gone.txt", "place.txt", "link", "picture.bin", "new.txt")
    for path in paths:
        answer = ada.discard(path)
        assert (answer.status_code, answer.json()) == (200, {"ok": True}), path
        assert path not in ada.rows()
    assert contents(root) == before
    assert set(ada.rows()) == set()
    assert (root / "link").is_symlink()
    assert (root / "run.sh").stat().st_mode & 0o777 == 0o755
    told = [event.payload for event in store.read(ada.session.pk, after=0, limit=100)]
    assert told[0] == {"kind": "discarded", "text": "ada discarded the changes of kept.txt."}
    assert len(told) == len(paths)


def test_the_work_leaves_no_files_behind(ada: Reviewer, repository: Path, settings) -> None:
    ada.begin()
    (repository / "kept.txt").write_text("x")
    (repository / "new.txt").write_text("new")
    before = sorted((repository / ".git").rglob("*"))
    index = (repository / ".git/index").read_bytes()
    ada.rows()
    ada.diff("kept.txt")
    assert sorted((repository / ".git").rglob("*")) == before
    assert (repository / ".git/index").read_bytes() == index
    assert list((settings.DATA_DIR / "changes").iterdir()) == []
