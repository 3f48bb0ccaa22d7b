"""Worktrees of chats: made once, whatever is killed in between; ended with nothing lost unsaid."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from sessions.control import send
from sessions.control.worktrees import beginning, ends
from sessions.core.errors import WorktreeConflict, WorktreeRefused
from sessions.models import AuditEntry, Event, Session, Worktree
from sessions.projects import rows
from sessions.trail.record import Act
from sessions.workspace.changes import program
from sessions.workspace.worktrees import making
from sessions.workspace.worktrees.names import is_branch
from tests.db.scripting import Script

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("stream_threads"),
]


def git(folder: Path, *words: str) -> str:
    plain = {"user.name": "Ada", "user.email": "ada@localhost", "core.hooksPath": "/x"}
    plain |= {"core.fsmonitor": "false", "filter.mark.clean": "cat", "filter.mark.smudge": "cat"}
    options = [part for name, value in plain.items() for part in ("-c", f"{name}={value}")]
    done = subprocess.run(
        ["git", *options, *words], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def commit(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", f"write {name}")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def shop(tmp_path: Path, settings) -> Path:
    """A repository with hooks and filters that leave a mark where they run."""
    settings.CHAT = {"WORKSPACE_ROOTS": str(tmp_path / "root")}
    settings.DATA_DIR = tmp_path / "data"
    settings.DATA_DIR.mkdir()
    folder = tmp_path / "root/shop"
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    commit(folder, ".gitattributes", "*.txt filter=mark\n")
    commit(folder, "a.txt", "one\n")
    mark = f"touch {tmp_path}/MARK"
    for name in ("post-checkout", "reference-transaction", "post-merge", "pre-commit"):
        hook = folder / ".git/hooks" / name
        hook.write_text(f"#!/bin/sh\n{mark}\n")
        hook.chmod(0o755)
    for name in ("filter.mark.smudge", "filter.mark.clean", "core.fsmonitor", "core.pager"):
        git(folder, "config", name, f"{mark}; cat")
    yield folder
    assert not (tmp_path / "MARK").exists()


def begin(ada: Script, shop: Path, branch: str = "work", start: str | None = "") -> Session:
    wanted = beginning.Wanted(branch, start)
    return send.create_session(owner=ada.user, agent="demo", cwd=str(shop), worktree=wanted)


def place_of(session: Session) -> Path:
    return beginning.prepare(session)[0]


def post(script: Script, session: Session, act: str, body: object = None):
    return script.client.post(
        f"/api/sessions/{session.pk}/worktree/{act}",
        json.dumps(body or {}),
        content_type="application/json",
        headers=script.headers,
    )


def facts(script: Script, session: Session) -> dict:
    return script.json(f"/api/sessions/{session.pk}/worktree")


def notices(session: Session) -> list[str]:
    found = Event.objects.filter(session=session, type="notice").order_by("seq")
    return [event.payload["kind"] for event in found]


def test_a_chat_works_in_a_worktree_of_its_own(ada: Script, shop: Path) -> None:
    base = git(shop, "rev-parse", "HEAD")
    session = begin(ada, shop, "feature/ü")
    place, source, shared = beginning.prepare(session)
    assert str(place) == session.cwd
    assert source == shop
    assert git(place, "rev-parse", "--abbrev-ref", "HEAD") == "feature/ü"
    assert git(place, "rev-parse", "HEAD") == base
    assert (place / "a.txt").read_text() == "one\n"
    assert git(place, "status", "--porcelain") == ""
    common = shop / ".git"
    assert shared.read == (str(common),)
    assert str(common / "hooks") not in shared.write
    assert str(common) not in shared.write
    # Again, nothing changes, and the work stays.
    (place / "new.txt").write_text("mine")
    assert place_of(session) == place
    assert (place / "new.txt").read_text() == "mine"
    assert notices(session) == ["worktree_made"]


def test_a_branch_that_exists_is_checked_out_once(ada: Script, shop: Path) -> None:
    git(shop, "branch", "old")
    session = begin(ada, shop, "old", None)
    assert git(place_of(session), "rev-parse", "--abbrev-ref", "HEAD") == "old"
    for branch, start in (("old", None), ("main", None), ("none", None), ("old", ""), ("x", "no")):
        with pytest.raises(WorktreeRefused):
            place_of(begin(ada, shop, branch, start))
    # A branch that was not made for the chat outlives it.
    digest = facts(ada, session)["losses"]["digest"]
    assert post(ada, session, "discard", {"digest": digest}).status_code == 200
    assert git(shop, "branch", "--list", "old")


@pytest.mark.parametrize("is_existing", [False, True])
def test_a_kill_at_any_step_leaves_nothing_in_the_way(
    ada: Script, shop: Path, monkeypatch, is_existing: bool
) -> None:
    if is_existing:
        git(shop, "branch", "work")
    real, calls = program.run, [0]
    for last in range(1, 20):
        calls[0] = 0

        def killed(*words: str, last: int = last, **more: object) -> bytes:
            calls[0] += 1
            if calls[0] == last:
                raise KeyboardInterrupt  # as a kill, it is handled nowhere
            return real(*words, **more)  # type: ignore[arg-type]

        session = begin(ada, shop, "work", None if is_existing else "")
        monkeypatch.setattr(program, "run", killed)
        try:
            place = place_of(session)
        except KeyboardInterrupt:
            # Half a checkout, and the lock of a git that was killed.
            folder = Path(session.cwd)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "half.txt").write_text("half")
            (shop / ".git/refs/heads/work.lock").touch()
            monkeypatch.setattr(program, "run", real)
            if is_existing or Worktree.objects.get(session=session).state == "wanted":
                (shop / ".git/refs/heads/work.lock").unlink()
            place = place_of(session)
            is_over = False
        else:
            is_over = True
        monkeypatch.setattr(program, "run", real)
        assert sorted(path.name for path in place.iterdir()) == [".git", ".gitattributes", "a.txt"]
        trees = git(shop, "worktree", "list", "--porcelain")
        assert trees.count("worktree ") == 2
        assert "prunable" not in trees
        assert not list((shop / ".git").rglob("*.lock"))
        digest = facts(ada, session)["losses"]["digest"]
        ends.discard(ada.user, session.pk, digest)
        assert git(shop, "worktree", "list").count("\n") == 0
        if is_over:
            return
    pytest.fail("the worktree was never made")


def acts() -> list[tuple[str, str, str]]:
    rows = AuditEntry.objects.filter(act__startswith="worktree").order_by("pk")
    return [(row.act, row.who, row.facts["branch"]) for row in rows]


def test_what_would_be_lost_is_told_before_it_is(ada: Script, bob: Script, shop: Path) -> None:
    session = begin(ada, shop)
    place = place_of(session)
    commit(place, "b.md", "two\n")
    git(place, "branch", "copy")
    alone = commit(place, "c.md", "x\ny\n")
    (place / "loose.md").write_text("not committed")
    told = facts(ada, session)
    assert (told["branch"], told["target"], told["added"]) == ("work", "main", 3)
    assert told["losses"]["files"] == ["loose.md"]
    assert told["losses"]["commits"] == [f"{alone[:7]} write c.md"]
    assert bob.get(f"/api/sessions/{session.pk}/worktree").json()["code"] == "unknown_session"
    assert post(bob, session, "discard", {"digest": "x"}).json()["code"] == "unknown_session"
    stale = told["losses"]["digest"]
    (place / "later.md").write_text("x")
    answer = post(ada, session, "discard", {"digest": stale})
    assert (answer.status_code, answer.json()["code"]) == (409, "worktree_conflict")
    answer = post(ada, session, "merge")
    assert answer.json()["error"] == "Not committed yet: later.md, loose.md."
    assert post(ada, session, "keep").status_code == 200
    assert (place / "later.md").exists()
    digest = facts(ada, session)["losses"]["digest"]
    assert post(ada, session, "discard", {"digest": digest}).status_code == 200
    assert not place.exists()
    assert git(shop, "branch", "--format=%(refname:short)").split() == ["copy", "main"]
    assert facts(ada, session)["losses"] is None
    assert notices(session) == ["worktree_made", "worktree_kept", "worktree_discarded"]
    assert acts() == [(Act.WORKTREE_DISCARDED, "ada", "work")]
    with pytest.raises(WorktreeRefused, match="discarded"):
        place_of(session)


@pytest.mark.parametrize("is_diverged", [False, True])
def test_a_merge_brings_the_work_into_the_folder(
    ada: Script, shop: Path, monkeypatch, is_diverged: bool
) -> None:
    session = begin(ada, shop)
    commit(place_of(session), "b.md", "two\n")
    if is_diverged:
        commit(shop, "d.md", "main's own\n")
    (shop / "loose.md").write_text("not committed in the folder")
    # Killed before the branch moves: the second try ends it.
    real = making.clear

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(making, "clear", killed)
    with pytest.raises(KeyboardInterrupt):
        ends.merge(ada.user, session.pk)
    monkeypatch.setattr(making, "clear", real)
    assert post(ada, session, "merge").status_code == 200
    assert (shop / "b.md").read_text() == "two\n"
    assert git(shop, "status", "--porcelain") == "?? loose.md"
    assert len(git(shop, "rev-list", "--merges", "HEAD").split()) == int(is_diverged)
    assert git(shop, "branch", "--format=%(refname:short)") == "main"
    assert notices(session) == ["worktree_made", "worktree_merged"]
    assert acts() == [(Act.WORKTREE_MERGED, "ada", "work")]
    assert not list((shop / ".git").rglob("*.lock"))


def test_a_merge_that_would_lose_something_changes_nothing(ada: Script, shop: Path) -> None:
    session = begin(ada, shop)
    place = place_of(session)
    commit(place, "a.txt", "theirs\n")
    (shop / "a.txt").write_text("not committed\n")
    with pytest.raises(WorktreeConflict, match="changes of its own"):
        ends.merge(ada.user, session.pk)
    assert (shop / "a.txt").read_text() == "not committed\n"
    head = commit(shop, "a.txt", "mine\n")
    with pytest.raises(WorktreeConflict, match=r"have changed a\.txt"):
        ends.merge(ada.user, session.pk)
    assert git(shop, "rev-parse", "HEAD") == head
    assert (shop / "a.txt").read_text() == "mine\n"
    assert (place / "a.txt").read_text() == "theirs\n"
    assert Worktree.objects.get(session=session).state == "made"


def test_links_in_the_git_directory_are_not_followed(ada: Script, shop: Path) -> None:
    outside = shop.parent.parent / "outside"
    for name in ("worktrees", "logs", "refs"):
        shutil.copytree(shop / ".git", outside / name)
        kept = shop / ".git" / name
        aside = shop.parent / f"{name}.aside"
        if kept.exists():
            kept.rename(aside)
        kept.symlink_to(outside / name)
        with pytest.raises(WorktreeRefused):
            place_of(begin(ada, shop))
        kept.unlink()
        if aside.exists():
            aside.rename(kept)
    assert place_of(begin(ada, shop)).is_dir()


def test_send_refuses_what_is_no_worktree(ada: Script, shop: Path) -> None:
    def ask(**fields: object):
        body = {"clientMsgId": "m", "sessionId": None, "text": "x", **fields}
        return ada.client.post(
            "/api/chat/send", json.dumps(body), content_type="application/json", headers=ada.headers
        )

    (shop.parent / "plain").mkdir()
    where = {"cwd": str(shop)}
    for fields in (
        {"worktree": {"branch": "w"}},
        {"worktree": {"branch": "w"}, "cwd": str(shop.parent / "plain")},
        {"worktree": {"branch": "--force"}, **where},
        {"worktree": {"branch": "w", "from": "--upload-pack=x"}, **where},
        {"worktree": {"existing": "a..b"}, **where},
    ):
        answer = ask(**fields)
        assert (answer.status_code, answer.json()["code"]) == (400, "worktree_refused"), fields
    for odd in ({}, {"branch": "a", "existing": "b"}, {"branch": 1}, "w", {"branch": ""}):
        assert ask(worktree=odd, **where).json()["code"] == "invalid_request"
    assert not Session.objects.exists()
    made = ask(worktree={"branch": "w", "from": "main"}, **where)
    assert made.status_code == 202
    assert ask(worktree={"branch": "w", "from": "main"}, **where).json()["duplicate"] is True
    assert ask(worktree={"branch": "w"}, **where).json()["code"] == "fingerprint_conflict"
    plain = send.create_session(owner=ada.user, agent="demo")
    assert ada.get(f"/api/sessions/{plain.pk}/worktree").json()["code"] == "unknown_worktree"


def forked(script: Script, session: Session, **more: object) -> tuple[int, dict]:
    body = {"sessionId": str(session.pk), "at": 1, **more}
    answer = script.client.post(
        "/api/chat/fork", json.dumps(body), content_type="application/json", headers=script.headers
    )
    return answer.status_code, answer.json()


def test_a_fork_works_in_a_worktree_of_the_same_repository(
    ada: Script, bob: Script, shop: Path
) -> None:
    plain = send.create_session(owner=ada.user, agent="demo", cwd=str(shop))
    Session.objects.filter(pk=plain.pk).update(agent_session_id="known-in-that-folder")
    wanted = {"worktree": {"branch": "one"}, "clientMsgId": "m"}
    status, made = forked(ada, plain, **wanted)
    assert (status, made["duplicate"]) == (200, False)
    fork = Session.objects.get(pk=made["sessionId"])
    assert fork.agent_session_id == ""
    place = place_of(fork)
    assert git(place, "rev-parse", "--abbrev-ref", "HEAD") == "one"
    assert forked(ada, plain, **wanted) == (200, made | {"duplicate": True})
    for other in ({"branch": "two"}, {"existing": "one"}, {"branch": "one", "from": "x"}):
        _, refused = forked(ada, plain, worktree=other, clientMsgId="m")
        assert refused["code"] == "fingerprint_conflict", other
    assert forked(bob, plain, **wanted)[0] == 404
    # A fork of that chat, and a fork in its folder, begin where its branch is.
    tip = commit(place, "b.md", "two\n")
    _, beside = forked(ada, fork)
    for origin, branch in ((fork, "two"), (Session.objects.get(pk=beside["sessionId"]), "three")):
        status, made = forked(ada, origin, worktree={"branch": branch})
        place = place_of(Session.objects.get(pk=made["sessionId"]))
        assert git(place, "rev-parse", "HEAD") == tip
    told = facts(ada, Session.objects.get(pk=made["sessionId"]))
    assert (told["branch"], told["target"]) == ("three", "main")


def test_a_fork_has_no_worktree_without_a_repository(ada: Script, shop: Path) -> None:
    (shop.parent / "plain").mkdir()
    for more in ({}, {"cwd": str(shop.parent / "plain")}):
        session = send.create_session(owner=ada.user, agent="demo", **more)
        status, refused = forked(ada, session, worktree={"branch": "one"})
        assert (status, refused["code"]) == (400, "worktree_refused"), more
    inside = send.create_session(owner=ada.user, agent="demo", cwd=str(shop))
    for branch in ("--force", "a..b"):
        assert forked(ada, inside, worktree={"branch": branch})[1]["code"] == "worktree_refused"
    assert Session.objects.count() == 3


def test_a_folder_that_was_deleted_frees_its_branch(ada: Script, shop: Path) -> None:
    git(shop, "branch", "old")
    first = begin(ada, shop, "old", None)
    shutil.rmtree(place_of(first))
    assert (
        git(place_of(begin(ada, shop, "old", None)), "rev-parse", "--abbrev-ref", "HEAD") == "old"
    )
    # The first chat cannot have it back, and is told.
    with pytest.raises(WorktreeRefused, match="elsewhere"):
        place_of(first)


def test_a_folder_that_lost_its_git_is_never_emptied(ada: Script, shop: Path) -> None:
    session = begin(ada, shop)
    place = place_of(session)
    (place / ".git").unlink()
    with pytest.raises(WorktreeRefused):
        place_of(session)
    assert (place / "a.txt").exists()


NAMES = (
    *("a", "feature/x", "ü", "a.b", "a-b", "v1.0", "a@b", "-a", "--", "a..b", "a~1", "a^", "a:b"),
    *("a b", "a\\b", "a?", "a*", "a[", "/a", "a/", "a//b", ".a", "a/.b", "a.", "a.lock"),
    *("a/b.lock", "a/x.lock/b", "@", "@{", "a@{1", "HEAD", "", "a\x7f", "a\nb", "x" * 100),
    *("a/./b", "{a}", "$(a)"),
)


@pytest.mark.parametrize("name", NAMES)
def test_names_of_branches_are_gits_own(name: str) -> None:
    command = ["git", "check-ref-format", "--branch", name]
    checked = subprocess.run(command, check=False, capture_output=True)
    is_gits = checked.returncode == 0 and checked.stdout.decode().strip() == name
    assert is_branch(name) is (is_gits and name not in {"HEAD", "@"})


def test_the_branches_of_a_project_are_offered_to_its_owner(
    ada: Script, bob: Script, shop: Path
) -> None:
    git(shop, "branch", "free")
    git(shop, "worktree", "add", "-q", "-b", "taken", str(shop.parent / "elsewhere"))
    git(shop, "update-ref", "refs/heads/-x", "HEAD")  # git takes it, a person cannot name it
    project = rows.make(ada.user, rows.Wanted(str(shop))).project
    path = f"/api/projects/{project.pk}/branches"
    told = ada.json(path)
    assert (told["current"], told["hasMore"]) == ("main", False)
    found = {each["name"]: each["isFree"] for each in told["branches"]}
    assert found == {"main": False, "free": True, "taken": False}
    assert bob.get(path).json()["code"] == "unknown_project"
    (shop.parent / "plain").mkdir()
    plain = rows.make(ada.user, rows.Wanted(str(shop.parent / "plain"))).project
    refused = ada.get(f"/api/projects/{plain.pk}/branches")
    assert (refused.status_code, refused.json()["code"]) == (400, "worktree_refused")


def test_many_branches_are_cut_to_the_last_changed(ada: Script, shop: Path) -> None:
    head = git(shop, "rev-parse", "HEAD")
    lines = "".join(f"create refs/heads/b{number} {head}\n" for number in range(250))
    subprocess.run(
        ["git", "-c", "core.hooksPath=/dev/null", "update-ref", "--stdin"],
        cwd=shop,
        input=lines,
        text=True,
        check=True,
    )
    project = rows.make(ada.user, rows.Wanted(str(shop))).project
    told = ada.json(f"/api/projects/{project.pk}/branches")
    assert (len(told["branches"]), told["hasMore"]) == (200, True)
