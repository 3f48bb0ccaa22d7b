"""Changes by the record of a chat's start: without git, and beside it."""

import os
import uuid
from pathlib import Path

import pytest

from sessions.workspace import put
from sessions.workspace.changes import baseline, tree
from tests.db.reviewing import (
    Reviewer,
    ada,
    change_everything,
    git,
    repository,
    root,
)

__all__ = ["ada", "repository", "root"]

pytestmark = pytest.mark.django_db(transaction=True)


def test_without_git_a_record_of_the_start_tells_the_changes(
    ada: Reviewer, root: Path, settings
) -> None:
    settings.CHAT = settings.CHAT | {"FILE_BYTES": 4_000}
    for name, text in {
        "kept.txt": "one\ntwo\nthree\n",
        "gone.txt": "x\n",
        "moved.txt": "m",
    }.items():
        (root / name).write_text(text)
    (root / "picture.bin").write_bytes(b"\0old")
    (root / "touched.txt").write_text("same")
    ada.begin()
    assert ada.ask()["files"] == []
    change_everything(root)
    (root / "moved.txt").rename(root / "place.txt")
    (root / "touched.txt").write_text("same")
    told = ada.ask()
    assert (told["basis"], told["hasHead"]) == ("snapshot", False)
    assert "Without git" in told["note"]
    assert ada.rows() == {
        "gone.txt": ("deleted", 0, 1),
        "ignored/x": ("new", 1, 0),
        "kept.txt": ("modified", 2, 1),
        "large.txt": ("tooLarge", None, None),
        "picture.bin": ("binary", None, None),
        "place.txt": ("renamed", 0, 0),
        "sub/new.txt": ("new", 2, 0),
    }
    assert ada.diff("kept.txt") == [" one", "-two", "+2", " three", "+four"]
    assert ada.ask(since="head")["basis"] == "none"


def test_a_change_with_the_time_and_size_of_before_is_seen(ada: Reviewer, root: Path) -> None:
    (root / "a.txt").write_text("one")
    told = (root / "a.txt").stat()
    ada.begin()
    (root / "a.txt").write_text("two")
    os.utime(root / "a.txt", ns=(told.st_atime_ns, told.st_mtime_ns))
    assert ada.rows() == {"a.txt": ("modified", 1, 1)}


def test_a_text_that_was_not_kept_is_told_as_such(ada: Reviewer, root: Path, monkeypatch) -> None:
    monkeypatch.setattr(baseline, "MAX_TEXT", 2)
    (root / "a.txt").write_text("one")
    ada.begin()
    (root / "a.txt").write_text("two")
    assert ada.rows() == {"a.txt": ("modified", None, None)}
    assert "not kept" in ada.ask(path="a.txt")["diff"]["why"]


def test_a_slow_disk_leaves_digests_out_and_changes_are_still_seen(
    ada: Reviewer, root: Path, monkeypatch
) -> None:
    monkeypatch.setattr(baseline, "READ_S", -1.0)
    (root / "a.txt").write_text("one")
    (root / "same.txt").write_text("same")
    ada.begin()
    (root / "a.txt").write_text("two")
    assert ada.rows() == {"a.txt": ("modified", None, None)}


def test_a_folder_with_more_files_than_are_looked_at_says_so(
    ada: Reviewer, root: Path, monkeypatch
) -> None:
    monkeypatch.setattr(tree, "MAX_FILES", 5)
    for number in range(20):
        (root / f"{number}.txt").write_text("x")
    ada.begin()
    told = ada.ask()
    assert (told["files"], told["hasMore"]) == ([], True)


def test_the_start_is_recorded_once(ada: Reviewer, root: Path) -> None:
    ada.begin()
    (root / "a.txt").write_text("a")
    ada.begin()
    assert set(ada.rows()) == {"a.txt"}


def test_the_oldest_records_go_when_all_take_too_much(
    ada: Reviewer, root: Path, monkeypatch, settings
) -> None:
    monkeypatch.setattr(baseline, "MAX_RECORDS", 2)
    others = [uuid.uuid4() for _ in range(2)]
    for age, other in enumerate(others):
        baseline.keep(other, str(root), [root.parent])
        os.utime(baseline._path(other), (age + 1, age + 1))
    ada.begin()
    assert [baseline.load(other) is None for other in others] == [True, False]
    assert baseline.load(ada.session.pk) is not None


def test_what_a_killed_server_left_is_removed(ada: Reviewer, repository: Path, settings) -> None:
    left = settings.DATA_DIR / "changes" / "left"
    (left / "objects").mkdir(parents=True)
    os.utime(left, (1, 1))
    ada.rows(since="head")
    assert list((settings.DATA_DIR / "changes").iterdir()) == []


def test_a_chat_without_a_record_is_compared_with_head(ada: Reviewer, repository: Path) -> None:
    (repository / "kept.txt").write_text("other\n")
    told = ada.ask()
    assert (told["basis"], told["since"], told["startedAt"]) == ("git", "head", None)
    assert ada.rows() == {"kept.txt": ("modified", 1, 3)}


@pytest.mark.parametrize("damage", [b"", b"no gzip", b"\x1f\x8b\x08\x00"])
def test_a_damaged_record_counts_as_none(ada: Reviewer, root: Path, damage: bytes) -> None:
    ada.begin()
    baseline._path(ada.session.pk).write_bytes(damage)
    assert ada.ask()["basis"] == "none"


def test_a_repository_that_begins_later_is_compared_by_the_record(
    ada: Reviewer, root: Path
) -> None:
    ada.begin()
    git(root, "init")
    (root / "a.txt").write_text("a\n")
    assert ada.ask()["basis"] == "snapshot"
    assert ada.rows() == {"a.txt": ("new", 1, 0)}
    assert ada.rows(since="head") == {"a.txt": ("new", 1, 0)}


def test_a_list_reads_so_many_bytes_and_no_more(ada: Reviewer, root: Path, monkeypatch) -> None:
    for number in range(4):
        (root / f"{number}.txt").write_text("one")
    ada.begin()
    monkeypatch.setattr(tree, "MAX_READ", 1)
    for number in range(4):
        (root / f"{number}.txt").write_text("two")
    told = ada.ask()
    assert len(told["files"]) == 1
    assert told["hasMore"]


def test_the_files_of_prompts_are_no_changes(ada: Reviewer, root: Path) -> None:
    ada.begin()
    put.put(root, "a" * 64, "note.txt", b"from a person")
    (root / "other").mkdir()
    (root / "other" / put.OWN).mkdir()
    (root / "other" / put.OWN / "made.txt").write_text("by the agent\n")
    assert ada.rows() == {f"other/{put.OWN}/made.txt": ("new", 1, 0)}
