"""Changes of a hostile folder: no program of it runs, and nothing outside of it is shown."""

import os
import shutil
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client

from sessions.access.tokens import create_token
from sessions.eventlog import store
from sessions.workspace.changes import baseline, program
from tests.db.reviewing import (
    SECRET,
    Reviewer,
    ada,
    git,
    repository,
    root,
)

__all__ = ["ada", "repository", "root"]

pytestmark = pytest.mark.django_db(transaction=True)


def test_no_program_of_the_repository_runs(ada: Reviewer, repository: Path) -> None:
    witness = repository.parent / "witness"
    evil = f"touch {witness}; cat"
    config = {
        "core.fsmonitor": evil,
        "core.hooksPath": str(repository / "hooks"),
        "core.pager": evil,
        "core.sshCommand": evil,
        "diff.external": evil,
        "diff.x.command": evil,
        "diff.x.textconv": evil,
        "filter.x.clean": evil,
        "filter.x.smudge": evil,
        "filter.x.process": evil,
        "core.worktree": "/etc",
        "core.attributesFile": str(repository / "attributes"),
        "include.path": "/etc/passwd",
        "submodule.recurse": "true",
        "diff.submodule": "diff",
    }
    (repository / "hooks").mkdir()
    for name in ("post-index-change", "fsmonitor-watchman", "query-watchman"):
        hook = repository / "hooks" / name
        hook.write_text(f"#!/bin/sh\n{evil}\n")
        hook.chmod(0o755)
    (repository / ".gitattributes").write_text("* filter=x diff=x\n")
    ada.begin()
    for name, value in config.items():
        with (repository / ".git/config").open("a") as file:
            section, _, key = name.rpartition(".")
            head, _, sub = section.partition(".")
            title = f'{head} "{sub}"' if sub else head
            file.write(f'[{title}]\n\t{key} = "{value}"\n')
    (repository / "kept.txt").write_text("other\n")
    (repository / "new.txt").write_text("new\n")
    for query in ({}, {"since": "head"}, {"path": "kept.txt"}, {"path": "new.txt"}):
        ada.ask(**query)
    assert ada.rows()["kept.txt"] == ("modified", 1, 3)
    assert not witness.exists()


def test_files_that_the_server_may_not_read_are_named(
    ada: Reviewer, repository: Path, monkeypatch, tmp_path: Path
) -> None:
    """As with agents of another system user: git itself ends at the first such file."""
    ada.begin()
    (repository / "kept.txt").write_text("other\n")
    (repository / "moved.txt").write_text("closed\n")
    (repository / "new.txt").write_text("closed\n")
    closed = {repository / "moved.txt", repository / "new.txt"}
    # The tests may run as root, who reads everything: a git that fails as it would for others.
    wrapper = tmp_path / "bin" / "git"
    wrapper.parent.mkdir()
    real = shutil.which("git")
    wrapper.write_text(
        "#!/bin/sh\n"
        f'case " $* " in *" diff "*) {real} ls-files -v -z | tr "\\0" "\\n" |'
        ' grep -q "^H moved.txt" && exit 128;; esac\n'
        f'exec {real} "$@"\n'
    )
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")
    may, look = os.access, os.open

    def opened(path, flags, *args, **more):
        if path in {"moved.txt", "new.txt"}:
            raise PermissionError(13, "Permission denied")
        return look(path, flags, *args, **more)

    monkeypatch.setattr(os, "access", lambda path, mode: path not in closed and may(path, mode))
    monkeypatch.setattr(os, "open", opened)
    assert ada.rows() == {
        "kept.txt": ("modified", 1, 3),
        "moved.txt": ("modified", None, None),
        "new.txt": ("new", None, None),
    }
    assert "may not read" in ada.ask(path="new.txt")["diff"]["why"]


def test_a_mark_in_the_index_hides_no_change(ada: Reviewer, repository: Path) -> None:
    ada.begin()
    git(repository, "update-index", "--assume-unchanged", "kept.txt")
    git(repository, "update-index", "--skip-worktree", "moved.txt")
    (repository / "kept.txt").write_text("other\n")
    (repository / "moved.txt").write_text("other\n")
    git(repository, "update-index", "--skip-worktree", "gone.txt")
    (repository / "gone.txt").unlink()  # as in a sparse working tree
    assert ada.rows() == {"kept.txt": ("modified", 1, 3), "moved.txt": ("modified", 1, 40)}


def test_a_submodule_runs_nothing_either(ada: Reviewer, repository: Path) -> None:
    inner = repository / "inner"
    inner.mkdir()
    git(inner, "init")
    (inner / "a").write_text("a")
    git(inner, "add", ".")
    git(inner, "commit", "-m", "inner")
    git(repository, "add", "inner")
    git(repository, "commit", "-m", "outer")
    witness = repository.parent / "witness"
    with (inner / ".git/config").open("a") as file:
        file.write(f'[core]\n\tfsmonitor = "touch {witness}"\n')
    (inner / "a").write_text("b")
    ada.rows()
    ada.rows(since="head")
    assert not witness.exists()


def other_repository(root: Path) -> Path:
    other = root.parent.parent / "outside"
    other.mkdir()
    git(other, "init")
    (other / "secret.txt").write_text(SECRET)
    git(other, "add", ".")
    git(other, "commit", "-m", "secret")
    return other


@pytest.mark.parametrize("kind", ["gitfile", "link", "objects", "alternates", "common", "refs"])
def test_a_repository_of_a_closed_folder_counts_as_none(
    ada: Reviewer, root: Path, kind: str
) -> None:
    other = other_repository(root)
    commit = git(other, "rev-parse", "HEAD")
    dot = root / ".git"
    if kind == "gitfile":
        dot.write_text(f"gitdir: {other}/.git\n")
    elif kind == "link":
        dot.symlink_to(other / ".git")
    else:
        git(root, "init")
        (dot / "refs/heads/main").write_text(f"{commit}\n")
    if kind == "objects":
        (dot / "objects").rename(dot / "old")
        (dot / "objects").symlink_to(other / ".git/objects")
    elif kind == "alternates":
        (dot / "objects/info/alternates").write_text(f"{other}/.git/objects\n")
    elif kind == "common":
        (dot / "commondir").write_text(f"{other}/.git\n")
    elif kind == "refs":
        (dot / "refs/heads/main").unlink()
        (dot / "refs/heads/main").symlink_to(other / ".git/refs/heads/main")
    answers = [ada.ask(since="head"), ada.ask(since="head", path="secret.txt")]
    assert SECRET not in str(answers)
    assert all(row["path"] != "secret.txt" for answer in answers for row in answer["files"])


def test_links_in_a_diff_are_their_targets_and_are_never_followed(
    ada: Reviewer, repository: Path
) -> None:
    outside = repository.parent.parent / "outside.txt"
    outside.write_text(SECRET)
    ada.begin()
    (repository / "kept.txt").unlink()
    (repository / "kept.txt").symlink_to(outside)
    (repository / "new.txt").symlink_to(outside)
    for path in ("kept.txt", "new.txt"):
        assert f"+{outside}" in ada.diff(path)
        assert SECRET not in str(ada.ask(path=path))


def test_odd_names_and_broken_text_are_no_failure(ada: Reviewer, repository: Path) -> None:
    ada.begin()
    for name in (b"odd-\xff", b"a\nb", "ü".encode(), b'q"t', b" ", b"-x", b":(top)x"):
        (repository / os.fsdecode(name)).write_bytes(b"caf\xe9\r\n\x1b[31m")
    rows = ada.rows()
    assert set(rows) == {"odd-\ufffd", "a\nb", "ü", 'q"t', " ", "-x", ":(top)x"}
    assert set(rows.values()) == {("new", 2, 0)}
    assert ada.diff("a\nb")[0] == "+caf\ufffd\r"
    assert ada.diff(":(top)x")
    assert ada.diff("odd-\ufffd")


def test_a_git_that_hangs_is_ended(ada: Reviewer, repository: Path, monkeypatch, tmp_path) -> None:
    slow = tmp_path / "bin"
    slow.mkdir()
    (slow / "git").write_text("#!/bin/sh\nexec sleep 600\n")
    (slow / "git").chmod(0o755)
    monkeypatch.setattr(program, "DEADLINE_S", 0.2)
    monkeypatch.setenv("PATH", f"{slow}:{os.environ['PATH']}")
    told = ada.ask(since="head")
    assert told["basis"] == "none"
    assert "Git could not tell" in told["note"] or "no git" in told["note"]


def test_nothing_is_discarded_that_was_not_kept_or_does_not_differ(
    ada: Reviewer, root: Path, monkeypatch
) -> None:
    monkeypatch.setattr(baseline, "MAX_TEXT", 2)
    (root / "a.txt").write_text("one")
    ada.begin()
    (root / "a.txt").write_text("two")
    outside = root.parent.parent / "outside"
    outside.mkdir()
    (outside / "b.txt").write_text(SECRET)
    (root / "out").symlink_to(outside)
    answers = [
        ada.discard(path) for path in ("a.txt", "same.txt", "out/b.txt", "../../outside/b.txt")
    ]
    assert [answer.status_code for answer in answers] == [409, 404, 404, 404]
    assert answers[0].json()["code"] == "content_not_kept"
    assert (root / "a.txt").read_text() == "two"
    assert (outside / "b.txt").read_text() == SECRET
    assert store.read(ada.session.pk, after=0, limit=10) == []


def test_a_folder_that_became_a_link_out_is_not_written_to(ada: Reviewer, root: Path) -> None:
    (root / "sub").mkdir()
    (root / "sub" / "a.txt").write_text("one")
    ada.begin()
    outside = root.parent.parent / "outside"
    outside.mkdir()
    (root / "sub" / "a.txt").unlink()
    (root / "sub").rmdir()
    (root / "sub").symlink_to(outside)
    answer = ada.discard("sub/a.txt")
    assert answer.status_code == 400
    assert list(outside.iterdir()) == []
    assert store.read(ada.session.pk, after=0, limit=10) == []


def test_i11_changes_of_another_user_do_not_exist(ada: Reviewer, repository: Path) -> None:
    bob = Client(headers={"Authorization": f"Bearer {create_token(User.objects.create_user('b'))}"})
    answer = bob.get(f"/api/sessions/{ada.session.pk}/changes")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_session")
    body = {"path": "kept.txt"}
    path = f"/api/sessions/{ada.session.pk}/changes/discard"
    assert bob.post(path, body, content_type="application/json").status_code == 404
