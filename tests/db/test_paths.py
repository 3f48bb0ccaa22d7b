"""Paths of a chat's folder: found by a few letters, named in a prompt, never from elsewhere."""

from __future__ import annotations

import os
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from model_bakery import baker

from sessions.agents.acp.translation.prompt import blocks_of
from sessions.agents.port import Attached
from sessions.control.send import send_message
from sessions.core.conf import data_dir
from sessions.core.db import in_thread
from sessions.core.errors import FileRefused, InvalidRequest, UnknownFile, UnknownProject
from sessions.eventlog import snapshot
from sessions.models import Message, Session
from sessions.projects import rows as projects
from sessions.workspace import inside
from sessions.workspace.paths import fuzzy, listing, mentions
from sessions.workspace.paths.listing import Paths
from tests.db.scripting import Script, path_of
from tests.support import processor
from tests.support.running import running_chat

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("stream_threads"),
]

BUDGET_S = 0.1


@pytest.fixture
def root(tmp_path: Path, settings) -> Path:
    made = tmp_path / "root" / "project"
    (made / "src").mkdir(parents=True)
    (made / "src" / "main.py").write_text("print('hello')\n")
    (made / "README.md").write_text("read me")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text("secret")
    (made / "leak").symlink_to(tmp_path / "outside")
    settings.CHAT = settings.CHAT | {"WORKSPACE_ROOTS": str(tmp_path / "root")}
    return made


@pytest.fixture
def session(ada: Script, root: Path) -> Session:
    return baker.make(Session, owner=ada.user, agent="demo", cwd=str(root))


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", folder, *words], check=True, capture_output=True)


def test_a_repository_lists_the_files_that_git_would_follow(
    ada: Script, bob: Script, session: Session, root: Path
) -> None:
    git(root, "init", "-q")
    (root / ".gitignore").write_text("*.log\n")
    (root / "noise.log").write_text("x")
    (root / "src" / "größe \n.txt").write_text("x")
    git(root, "add", "src/main.py")
    # The repository's own configuration may name programs: none of them runs.
    (root / ".git" / "config").write_text(f"[core]\n\tfsmonitor = touch {root}/ran\n")
    path = path_of(session, "/paths")
    found = ada.json(path)
    assert found["isWhole"]
    assert set(found["paths"]) == {
        *(".gitignore", "README.md", "leak", "src/main.py", "src/größe \n.txt")
    }
    assert not (root / "ran").exists()
    assert ada.json(path, q="smn")["paths"] == ["src/main.py"]
    assert ada.json(path, q="MAIN")["paths"] == ["src/main.py"]
    assert ada.json(path, q="secret")["paths"] == []
    # A new file at the top is found at once.
    (root / "main.txt").write_text("x")
    assert ada.json(path, q="main")["paths"] == ["src/main.py", "main.txt"]
    assert ada.json(path, q="main", limit=1)["paths"] == ["src/main.py"]
    assert bob.get(path).status_code == 404
    assert ada.get(path, q="x" * 101).json()["code"] == "invalid_request"


def test_without_git_a_walk_follows_no_link_and_has_a_bound(
    ada: Script, session: Session, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / os.fsdecode(b"\xff.txt")).write_text("no UTF-8")
    (root / "node_modules" / "x").mkdir(parents=True)
    (root / "node_modules" / "x" / "y.js").write_text("x")
    assert sorted(ada.json(path_of(session, "/paths"))["paths"]) == ["README.md", "src/main.py"]
    monkeypatch.setattr(listing, "MAX_PATHS", 1)
    (root / "new").write_text("x")
    cut = ada.json(path_of(session, "/paths"))
    assert (len(cut["paths"]), cut["isWhole"]) == (1, False)


def test_a_session_without_a_folder_has_no_paths(ada: Script) -> None:
    mine = baker.make(Session, owner=ada.user, agent="demo", cwd="")
    assert ada.json(path_of(mine, "/paths")) == {"paths": [], "isWhole": True}


@pytest.mark.parametrize(
    ("letters", "first"),
    [
        ("inbox", "sessions/runner/inbox.py"),
        ("in box", "sessions/runner/inbox.py"),
        ("runner/in", "sessions/runner/inbox.py"),
        ("sri", "sessions/runner/inbox.py"),
        ("RUNNER.PY", "sessions/runner/runner.py"),
        ("[", "odd/[x].py"),
        ("^", "odd/^.py"),
        ("\\", "odd/a\\b.py"),
        ("zzz", None),
    ],
)
def test_the_best_fit_comes_first(letters: str, first: str | None) -> None:
    names = [
        *("sessions/runner/runner.py", "sessions/runner/inbox.py", "notes/in-a-box.md"),
        *("odd/[x].py", "odd/^.py", "odd/a\\b.py"),
    ]
    paths = Paths(names, [name.lower() for name in names], is_whole=True)
    assert next(iter(fuzzy.best(paths, letters, 5)), None) == first


@pytest.mark.parametrize("letters", ["", "s", "mod7", "smz9", "a" * 100, "s" * 50])
def test_twenty_thousand_files_are_searched_within_the_budget(letters: str) -> None:
    names = [f"src/package{n % 50}/module{n}/sss{'s' * (n % 90)}{n}.py" for n in range(20_000)]
    paths = Paths(names, [name.lower() for name in names], is_whole=True)
    took = [processor.seconds(lambda: fuzzy.best(paths, letters, 20)) for _ in range(3)]
    print(f"{letters[:8]!r}: {min(took) * 1000:.0f} ms")
    assert min(took) < BUDGET_S


def send(ada: Script, paths: list[str], **place: Any) -> Any:
    return send_message(
        user=ada.user,
        client_msg_id=uuid.uuid4().hex,
        text="look at @src/main.py",
        named=paths,
        **{"session_id": None} | place,
    )


def test_a_prompt_names_files_of_its_folder(ada: Script, session: Session, root: Path) -> None:
    named = ["src/main.py", f"{root}/README.md", "./src/../src/main.py", "src"]
    send(ada, named, session_id=session.pk)
    message = Message.objects.get(session=session).data
    assert message["mentions"] == ["src/main.py", "README.md", "src"]
    assert snapshot.take(session.pk)["messages"][0]["mentions"] == message["mentions"]
    receipt = send(ada, ["README.md"], cwd=str(root), agent="demo")
    assert Message.objects.get(session_id=receipt.session_id).data["mentions"] == ["README.md"]


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("nothing.py", UnknownFile),
        ("../outside/secret.txt", FileRefused),
        ("leak/secret.txt", FileRefused),
        ("/etc/passwd", FileRefused),
        ("x" * 4_000, UnknownFile),
    ],
)
def test_a_prompt_that_names_another_file_is_refused(
    ada: Script, session: Session, path: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        send(ada, ["README.md", path], session_id=session.pk)
    assert not Message.objects.exists()


def test_mentions_are_bounded_and_need_a_folder(ada: Script, session: Session) -> None:
    with pytest.raises(InvalidRequest):
        send(ada, ["README.md"] * 51, session_id=session.pk)
    with pytest.raises(UnknownFile):
        send(ada, ["README.md"], agent="demo")
    with pytest.raises((UnknownFile, UnknownProject)):
        send(ada, ["README.md"], project_id=uuid.uuid4())
    body = {"clientMsgId": "m", "sessionId": str(session.pk), "text": "t", "mentions": ["a\0b"]}
    refused = ada.client.post(
        "/api/chat/send", body, headers=ada.headers, content_type="application/json"
    )
    assert refused.json()["code"] == "invalid_request"


def test_a_prompt_sent_again_needs_its_files_no_more(
    ada: Script, session: Session, root: Path
) -> None:
    prompt = {"user": ada.user, "client_msg_id": "m", "session_id": session.pk, "text": "t"}
    first = send_message(**prompt, named=["README.md"])
    (root / "README.md").unlink()
    assert send_message(**prompt, named=["README.md"]).seq == first.seq


def test_small_texts_are_embedded_where_an_agent_takes_them(root: Path) -> None:
    (root / "large.txt").write_text("x" * (mentions.EMBED_BYTES + 1))
    (root / "binary").write_bytes(b"a\0b")
    named = ["src/main.py", "large.txt", "binary", "src", "gone.txt", "leak/secret.txt"]
    descriptor = os.open(root, os.O_RDONLY)
    try:
        folder = inside.Inside(descriptor, root)
        texts = mentions.found(folder, named, takes_text=True)
        links = mentions.found(folder, named, takes_text=False)
    finally:
        os.close(descriptor)
    assert [(one.name, one.text) for one in texts] == [
        *(("src/main.py", "print('hello')\n"), ("large.txt", None), ("binary", None), ("src", None))
    ]
    assert [one.text for one in links] == [None] * 4
    attached = [Attached(one.name, "", one.size, path=one.path, text=one.text) for one in texts]
    [said, embedded, link, *_] = [
        block.model_dump(exclude_none=True) for block in blocks_of("look", attached)
    ]
    assert said == {"type": "text", "text": "look"}
    address = (root / "src" / "main.py").as_uri()
    assert embedded["resource"] == {"uri": address, "text": "print('hello')\n"}
    assert (link["type"], link["name"]) == ("resource_link", "large.txt")


async def test_the_agent_gets_the_files_that_a_prompt_names(root: Path, settings) -> None:
    async with running_chat() as chat:
        receipt = await in_thread(
            lambda: send_message(
                user=User.objects.get(pk=chat.user.pk),
                client_msg_id="m",
                session_id=None,
                text="/run true",
                agent="demo",
                cwd=str(root),
                named=["src/main.py"],
            )
        )
        taken = await chat.until(receipt.session_id, lambda s: s["permissions"])
        address = (root / "src" / "main.py").as_uri()
        assert f"[file: src/main.py]({address})" in taken["permissions"][0]["input"]["command"]
        await chat.interrupt(receipt.session_id)


def asked(person: Script, **query: object):
    return person.client.get("/api/folders/paths", query, headers=person.headers)


def completed(person: Script, **query: object) -> Any:
    answer = asked(person, **query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_paths_are_completed_before_a_chat_has_begun(ada: Script, bob: Script, root: Path) -> None:
    project = projects.make(ada.user, projects.Wanted(str(root))).project
    expected = {"paths": ["src/main.py"], "isWhole": True}
    assert completed(ada, path=str(root), q="main") == expected
    assert completed(ada, projectId=project.pk, q="main") == expected
    assert asked(bob, projectId=project.pk, q="main").status_code == 404
    assert asked(ada, q="main").status_code == 400
    assert asked(ada, path=str(root), projectId=project.pk).status_code == 400


def test_no_folder_outside_the_roots_is_listed_before_a_chat(
    ada: Script, root: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    (tmp_path / "root" / "link").symlink_to(outside)
    own = data_dir() / "workspaces"
    own.mkdir(parents=True, exist_ok=True)
    for path in (
        *(outside, root / "leak", root.parent / "link", root / ".." / ".." / "outside"),
        *("/proc/self", "/etc", "~root", "relative", "a\0b", "x" * 4000, own, root / "README.md"),
    ):
        answer = asked(ada, path=str(path))
        assert answer.status_code == 400, path
        assert answer.json()["code"] == "folder_refused"
        assert b"secret.txt" not in answer.content
    # A link inside of the folder is a name, and not followed.
    told = completed(ada, path=str(root))["paths"]
    assert set(told) - {"leak"} == {"README.md", "src/main.py"}
