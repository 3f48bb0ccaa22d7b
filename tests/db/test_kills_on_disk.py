"""Real kills in the middle of work on folders: each is old or new, and nothing is in the way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sessions.workspace.worktrees import bringing, making
from sessions.workspace.worktrees.main import opened_main
from tests.db.test_worktrees import commit, git
from tests.support.killing import killed

MANY = 150
# The first of them begins the list of what has changed; no encoding knows the other.
ODD = (b" begins with a space", b"\xff.txt")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A repository whose branch `work` adds many files and changes one."""
    made = tmp_path / "shop"
    made.mkdir()
    git(made, "init", "-b", "main")
    commit(made, "a.txt", "one\n")
    git(made, "checkout", "-b", "work")
    for number in range(MANY):
        (made / f"many-{number}.txt").write_text(f"{number}\n" * 200)
    for name in ODD:
        (made / os.fsdecode(name)).write_text("odd\n")
    git(made, "add", ".")
    commit(made, "a.txt", "one\ntwo\n")
    git(made, "checkout", "main")
    (made / "loose.md").write_text("the person's own")
    return made


def state(shop: Path) -> str:
    """Return old or new: the folder, the index and the branch together."""
    has = {path.name for path in shop.glob("many-*")}
    is_new = git(shop, "rev-parse", "main") == git(shop, "rev-parse", "work")
    assert len(has) == (MANY if is_new else 0)
    assert [(shop / os.fsdecode(name)).exists() for name in ODD] == [is_new] * len(ODD)
    assert (shop / "a.txt").read_text() == ("one\ntwo\n" if is_new else "one\n")
    assert git(shop, "status", "--porcelain") == "?? loose.md"
    assert (shop / "loose.md").read_text() == "the person's own"
    return "new" if is_new else "old"


def nothing_left(shop: Path) -> None:
    assert not [
        path for path in (shop / ".git").rglob("*") if path.suffix in {".lock", ".backstay"}
    ]
    assert not (shop / ".git" / "backstay-merge").exists()


@pytest.mark.parametrize(
    ("when", "step"),
    [
        ("in", "read-tree"),
        ("after", "read-tree"),
        ("before", "update-ref"),
        ("after", "update-ref"),
    ],
)
def test_a_merge_that_is_killed_is_completed_by_the_next_start(
    shop: Path, when: str, step: str
) -> None:
    assert killed("merge", shop, when, step)
    with opened_main(str(shop), [shop.parent]) as main:
        bringing.settle(main)
    assert state(shop) == "new"
    nothing_left(shop)
    # The person's own git is not held up, and the merge may be asked for again.
    git(shop, "add", "loose.md")
    git(shop, "reset", "-q")
    assert not killed("merge", shop, "before", "no such step")
    assert state(shop) == "new"


@pytest.mark.parametrize(
    ("when", "step"),
    [("after", "worktree"), ("in", "read-tree")],
)
def test_a_worktree_that_is_killed_in_its_making_is_made_from_its_begin(
    shop: Path, when: str, step: str
) -> None:
    git(shop, "checkout", "-q", "-f", "work")  # so that its files are many
    assert killed("make", shop, when, step)
    place = shop.with_name("tree")
    assert not killed("make", shop, "before", "no such step")
    assert len(list(place.glob("many-*"))) == MANY
    assert git(place, "status", "--porcelain") == ""
    # And it is removed, by a process that is killed in between, too.
    assert killed("discard", shop, "after", "rmtree")
    with opened_main(str(shop), [shop.parent]) as main:
        making.clear(main, place)
        making.forget(main, "fresh")
    assert not place.exists()
    assert git(shop, "worktree", "list").count("\n") == 0
    assert git(shop, "branch", "--list", "fresh") == ""
