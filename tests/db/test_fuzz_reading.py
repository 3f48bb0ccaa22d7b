"""Completed paths and walked prompts for a hostile reader: nothing from elsewhere is ever told."""

from __future__ import annotations

import json
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sessions.account_models import Project
from sessions.control.send import create_session
from tests.db.scripting import Script, prompt

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("stream_threads"),
]

# The same examples each time: a failure is found again.
bounded = settings(
    max_examples=100,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
SECRET = "secret"


@pytest.fixture(autouse=True)
def unbounded(settings: Any) -> None:
    settings.CHAT = settings.CHAT | {"REQUESTS_PER_MINUTE": 0}


def asked(script: Script, path: str, query: dict[str, str]) -> tuple[int, Any]:
    """Return status and JSON of an answer; each refusal has a code and a sentence."""
    answer = script.client.get(path, query, headers=script.headers)
    told = json.loads(answer.content)
    assert answer.status_code < 500, (query, told)
    if answer.status_code >= 400:
        assert told["code"], (query, told)
        assert told["error"], (query, told)
    return answer.status_code, told


# --- Paths --------------------------------------------------------------------------------------

PARTS = (
    *("..", ".", "", "inside", "deeper", "link-out", "link-in", "loop", "file.txt", "closed", "~"),
    *("flip", "\0", "x" * 300, "é", "%2e%2e", "inside ", "\\..", "proc", "self", "cwd", "\n", "*"),
    *("outside", ".git", "root", os.fsdecode(b"odd-\xff").encode("utf-8", "replace").decode()),
)
STARTS = ("{root}", "{root}/inside", "{root}/../root", "/", "//", "", "/proc/self/root{root}")
PATHS = st.builds(
    lambda start, parts: start + "".join(f"/{part}" for part in parts),
    st.sampled_from(STARTS),
    st.lists(st.sampled_from(PARTS), max_size=3) | st.lists(st.text(max_size=8), max_size=1),
)
LETTERS = st.sampled_from(["", "s", SECRET, "file", "../", "/", "\0", "[", "x" * 101]) | st.text(
    max_size=5
)


@pytest.fixture
def root(tmp_path: Path, settings: Any) -> Path:
    """A root with links that lead out, beside folders that are closed to everybody."""
    made = tmp_path / "root"
    for folder in ("inside/deeper", "closed/secret-data"):
        (made / folder).mkdir(parents=True)
    (tmp_path / "outside/secret-folder").mkdir(parents=True)
    for place in (tmp_path / "outside", tmp_path / "outside/secret-folder", made / "closed"):
        (place / "secret.txt").write_text("not for you")
    (made / "inside/file.txt").write_text("x")
    (made / "link-in").symlink_to(made / "inside")
    (made / "link-out").symlink_to(tmp_path / "outside")
    (made / "inside/link-out").symlink_to(tmp_path / "outside")
    (made / "loop").symlink_to(made / "loop")
    (made / "flip").symlink_to(made / "inside")
    settings.DATA_DIR = made / "closed"
    settings.CHAT = settings.CHAT | {"WORKSPACE_ROOTS": str(made)}
    return made


@contextmanager
def flipping(link: Path, *targets: Path) -> Iterator[None]:
    """Let a link lead to one place and the other in turn, as fast as it can."""
    is_over = threading.Event()

    def flip() -> None:
        fresh = link.with_name("fresh")
        while not is_over.is_set():
            for target in targets:
                fresh.symlink_to(target)
                fresh.replace(link)

    flipper = threading.Thread(target=flip)
    flipper.start()
    try:
        yield
    finally:
        is_over.set()
        flipper.join()


def test_no_completed_path_is_from_outside(ada: Script, bob: Script, root: Path) -> None:
    project = Project.objects.create(owner=ada.user, folder=str(root / "inside"), name="inside")
    projects = st.sampled_from(["", "", "", str(project.pk), str(uuid.uuid4()), "1", "\0"])
    found = 0

    @bounded
    @given(path=PATHS, letters=LETTERS, project_id=projects, limit=st.sampled_from(["", "1", "-1"]))
    def ask(path: str, letters: str, project_id: str, limit: str) -> None:
        nonlocal found
        query = {"path": path.format(root=root) if "{root}" in path else path, "q": letters}
        query |= {"projectId": project_id} if project_id else {}
        query |= {"limit": limit} if limit else {}
        status, told = asked(ada, "/api/folders/paths", query)
        if status == 200:
            found += 1
            assert not [name for name in told["paths"] if SECRET in name], (query, told)
            assert len(told["paths"]) <= int(limit or 20)
        status, told = asked(bob, "/api/folders/paths", {"q": letters, "projectId": project_id})
        assert status >= 400, (project_id, told)

    with flipping(root / "flip", root / "inside", root.parent / "outside"):
        ask()
    assert found > 5


# --- Prompts ------------------------------------------------------------------------------------


def test_no_walked_prompt_is_another_person_s(
    ada: Script, bob: Script, tmp_path: Path, settings: Any
) -> None:
    settings.CHAT = settings.CHAT | {"WORKSPACE_ROOTS": str(tmp_path)}
    boss = Script(User.objects.create_user("boss", is_staff=True, is_superuser=True))
    named = [str(uuid.uuid4()), "1", "", "\0", "None", "'--"]
    # All have a project of one folder, a chat in it, and one without a project.
    for person in (ada, bob, boss):
        project = Project.objects.create(owner=person.user, folder=str(tmp_path), name="shop")
        chats = [
            create_session(owner=person.user, agent="demo", **more)
            for more in ({"project": project}, {"cwd": str(tmp_path)}, {})
        ]
        for number, chat in enumerate(chats):
            prompt(chat, f"{person.user.get_username()} said {number}")
        named += [str(project.pk), *(str(chat.pk) for chat in chats)]
    names = st.none() | st.sampled_from(named) | st.text(max_size=4)
    found = 0

    @bounded
    @given(session_id=names, project_id=names, person=st.sampled_from([ada, bob, boss]))
    def ask(session_id: str | None, project_id: str | None, person: Script) -> None:
        nonlocal found
        given = {"sessionId": session_id, "projectId": project_id}
        query = {name: value for name, value in given.items() if value is not None}
        status, told = asked(person, "/api/history", query)
        if status == 200:
            found += bool(told["prompts"])
            own = f"{person.user.get_username()} said "
            assert all(text.startswith(own) for text in told["prompts"]), (query, told)

    ask()
    assert found


@pytest.mark.parametrize("path", ["/api/folders/paths?path=/", "/api/history"])
def test_without_a_log_in_there_is_neither(root: Path, path: str) -> None:
    answer: Callable[..., Any] = Client().get
    assert answer(path).status_code == 401
