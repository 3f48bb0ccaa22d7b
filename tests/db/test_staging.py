"""Staging, commits and single hunks: no program of the repository runs, no race loses work."""

import os
from pathlib import Path

import pytest

from sessions.eventlog import store
from sessions.workspace.changes import listing, locked
from tests.db.reviewing import Reviewer, ada, git, repository, root

__all__ = ["ada", "repository", "root"]

pytestmark = pytest.mark.django_db(transaction=True)


def post(ada: Reviewer, act: str, **body):
    address = f"/api/sessions/{ada.session.pk}/changes/{act}"
    return ada.client.post(address, body, content_type="application/json")


def notices(ada: Reviewer) -> list[dict]:
    return [event.payload for event in store.read(ada.session.pk, after=0, limit=100)]


def hunks(ada: Reviewer, path: str) -> list[dict]:
    return ada.ask(path=path)["diff"]["hunks"]


def test_files_are_staged_unstaged_and_committed(ada: Reviewer, repository: Path) -> None:
    ada.session.owner.first_name = "Ada <L>"
    ada.session.owner.save()
    (repository / "kept.txt").write_text("other\n")
    (repository / "gone.txt").unlink()
    (repository / "moved.txt").rename(repository / "place.txt")
    (repository / "run.sh").write_text("#!/bin/sh\n")
    (repository / "run.sh").chmod(0o755)
    (repository / "link").symlink_to("/etc/passwd")
    paths = ["kept.txt", "gone.txt", "place.txt", "run.sh", "link"]
    assert ada.ask(since="head")["staged"] == []
    answer = post(ada, "stage", paths=paths)
    assert answer.status_code == 200, answer.content
    every = sorted([*paths, "moved.txt"])
    assert answer.json()["staged"] == every == ada.ask(since="head")["staged"]
    assert git(repository, "diff", "--cached", "--name-only").split() == sorted(
        ["gone.txt", "kept.txt", "link", "place.txt", "run.sh"]
    )
    assert post(ada, "unstage", paths=["link", "gone.txt"]).status_code == 200
    assert "link" not in git(repository, "diff", "--cached", "--name-only").split()
    answer = post(ada, "commit", message="A message\n\nof two lines")
    assert answer.status_code == 200, answer.content
    made = answer.json()["commit"]
    assert "Hooks" in answer.json()["note"]
    assert git(repository, "rev-parse", "main") == made
    assert git(repository, "log", "-1", "--format=%an|%ae|%cn|%B").strip() == (
        "Ada L|ada@localhost|Ada L|A message\n\nof two lines"
    )
    assert git(repository, "ls-files", "-s", "run.sh").startswith("100755")
    assert git(repository, "status", "--porcelain").split() == ["D", "gone.txt", "??", "link"]
    assert "commit: A message" in git(repository, "reflog")
    git(repository, "fsck", "--strict")
    assert post(ada, "commit", message="again").json()["code"] == "nothing_staged"
    assert [each["kind"] for each in notices(ada)] == ["staged", "unstaged", "committed"]
    assert notices(ada)[2]["text"] == f"ada committed {made[:12]}: A message."
    assert not list((repository / ".git").rglob("*.lock"))


def test_the_first_commit_and_a_folder_below_the_top(ada: Reviewer, root: Path) -> None:
    git(root, "init")
    (root / "sub").mkdir()
    (root / "sub/a.txt").write_text("a\n")
    ada.session.cwd = str(root / "sub")
    ada.session.save()
    assert post(ada, "stage", paths=["a.txt"]).json()["staged"] == ["a.txt"]
    assert post(ada, "commit", message="first").status_code == 200
    assert git(root, "ls-tree", "-r", "--name-only", "HEAD") == "sub/a.txt"
    git(root, "checkout", "--detach")
    (root / "sub/a.txt").write_text("b\n")
    post(ada, "stage", paths=["a.txt"])
    made = post(ada, "commit", message="second").json()["commit"]
    assert git(root, "rev-parse", "HEAD") == made
    assert git(root, "rev-parse", "main") != made


def test_no_program_of_the_repository_runs(ada: Reviewer, repository: Path) -> None:
    witness = repository.parent / "witness"
    evil = f"touch {witness}; cat"
    for name in ("pre-commit", "commit-msg", "post-commit", "reference-transaction"):
        hook = repository / ".git/hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\n{evil}\nexit 1\n")
        hook.chmod(0o755)
    for name in ("filter.x.clean", "core.fsmonitor", "gpg.program", "core.editor"):
        git(repository, "config", name, evil)
    git(repository, "config", "commit.gpgsign", "true")
    witness.unlink(missing_ok=True)
    (repository / ".gitattributes").write_text("*.bin filter=x\n*.txt eol=crlf\n")
    (repository / "picture.bin").write_bytes(b"\0new")
    (repository / "kept.txt").write_bytes(b"a\r\nb\r\n")
    refused = post(ada, "stage", paths=["kept.txt", "picture.bin"])
    assert (refused.status_code, refused.json()["code"]) == (409, "file_filtered")
    assert post(ada, "stage", paths=["kept.txt"]).status_code == 200
    assert post(ada, "commit", message="x").status_code == 200
    assert not witness.exists()
    assert git(repository, "-c", "core.fsmonitor=", "cat-file", "blob", "HEAD:kept.txt") == "a\nb"


def test_a_git_at_work_and_a_branch_that_moved_are_told(
    ada: Reviewer, repository: Path, monkeypatch
) -> None:
    (repository / "kept.txt").write_text("other\n")
    lock = repository / ".git/index.lock"
    lock.touch()
    assert post(ada, "stage", paths=["kept.txt"]).json()["code"] == "repository_busy"
    assert lock.exists()
    lock.unlink()
    post(ada, "stage", paths=["kept.txt"])
    before = git(repository, "rev-parse", "HEAD")
    take = locked.locked

    def moved(place, path):
        if path.startswith("refs/"):
            tree = git(repository, "rev-parse", "HEAD^{tree}")
            commit = git(repository, "commit-tree", tree, "-p", "HEAD", "-m", "by the agent")
            (repository / ".git" / path).write_text(f"{commit}\n")
        return take(place, path)

    monkeypatch.setattr("sessions.workspace.changes.commits.locked", moved)
    answer = post(ada, "commit", message="mine")
    assert (answer.status_code, answer.json()["code"]) == (409, "repository_busy")
    assert git(repository, "log", "-1", "--format=%s") == "by the agent"
    assert git(repository, "rev-parse", "HEAD~1") == before
    assert [each["kind"] for each in notices(ada)] == ["staged"]
    (repository / ".git/MERGE_HEAD").write_text(f"{before}\n")
    assert post(ada, "commit", message="x").json()["code"] == "file_refused"


@pytest.mark.parametrize("path", ["same.txt", "ignored/x", "../outside.txt", "/etc/passwd", "in/"])
def test_nothing_else_is_staged(ada: Reviewer, repository: Path, path: str) -> None:
    (repository / "ignored").mkdir()
    (repository / "ignored/x").write_text("x")
    (repository / "in").mkdir()
    git(repository / "in", "init")
    (repository / "in/a").write_text("x")
    (repository.parent / "outside.txt").write_text("x")
    assert post(ada, "stage", paths=[path]).status_code in {400, 404}
    assert git(repository, "diff", "--cached", "--name-only") == ""
    assert notices(ada) == []


def test_one_hunk_is_discarded_and_the_others_stay(ada: Reviewer, repository: Path) -> None:
    lines = [f"line {n}\n" for n in range(40)]
    ada.begin()
    changed = ["first\n", *lines[:5], "five\n", *lines[6:20], *lines[22:-1], "last"]
    path = repository / "moved.txt"
    path.write_text("".join(changed))
    path.chmod(0o755)
    assert len(hunks(ada, "moved.txt")) == 3
    for at, expected in (
        (1, [*changed[:21], *lines[20:22], *changed[21:]]),
        (1, [*changed[:21], *lines[20:]]),
        (0, lines),
    ):
        digest = hunks(ada, "moved.txt")[at]["digest"]
        answer = post(ada, "discard", path="moved.txt", since="chat", hunk=digest)
        assert answer.status_code == 200, answer.content
        assert path.read_text() == "".join(expected)
    assert os.access(path, os.X_OK)
    assert notices(ada)[0]["text"] == "ada discarded a change of moved.txt."
    path.write_text("")  # every line is gone
    [only] = hunks(ada, "moved.txt")
    assert (
        post(ada, "discard", path="moved.txt", since="chat", hunk=only["digest"]).status_code == 200
    )
    assert path.read_text() == "".join(lines)


def test_a_hunk_that_changed_meanwhile_is_left_alone(
    ada: Reviewer, repository: Path, monkeypatch
) -> None:
    ada.begin()
    path = repository / "kept.txt"
    path.write_text("one\n2\nthree\n")
    [old] = hunks(ada, "kept.txt")
    path.write_text("one\n22\nthree\n")
    answer = post(ada, "discard", path="kept.txt", since="chat", hunk=old["digest"])
    assert (answer.status_code, answer.json()["code"]) == (409, "hunk_changed")
    [new] = hunks(ada, "kept.txt")
    restore = listing.WithoutHunk.restore

    def written_first(self, inside):
        path.write_text("by the agent\n")
        restore(self, inside)

    monkeypatch.setattr(listing.WithoutHunk, "restore", written_first)
    answer = post(ada, "discard", path="kept.txt", since="chat", hunk=new["digest"])
    assert (answer.status_code, answer.json()["code"]) == (409, "hunk_changed")
    assert path.read_text() == "by the agent\n"
    assert notices(ada) == []
