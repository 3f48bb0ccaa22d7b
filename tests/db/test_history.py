"""The prompts that the arrow keys walk: of a project, on the server, bounded."""

import uuid
from pathlib import Path

import pytest

from sessions.account_models import Project
from sessions.control.send import create_session
from sessions.models import Session
from sessions.reading import history
from tests.db.scripting import Script, answer, new_session, prompt

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("stream_threads"),
]


@pytest.fixture
def project(ada: Script, tmp_path: Path, settings) -> Project:
    settings.CHAT = settings.CHAT | {"WORKSPACE_ROOTS": str(tmp_path)}
    (tmp_path / "shop").mkdir()
    return Project.objects.create(owner=ada.user, folder=str(tmp_path / "shop"), name="shop")


def chat_in(project: Project) -> Session:
    return create_session(owner=project.owner, agent="demo", project=project)


def walked(person: Script, **query: object) -> list[str]:
    told = person.json("/api/history", **query)
    assert set(told) == {"prompts"}
    return list(told["prompts"])


def test_all_chats_of_a_project_share_one_history(ada: Script, project: Project) -> None:
    one, two, other = chat_in(project), chat_in(project), new_session(ada)
    prompt(one, "first")
    prompt(two, "second")
    answer(two, "never offered")
    prompt(other, "elsewhere")
    prompt(one, "third")
    prompt(two, "first")  # said again: it stands where it was said last
    expected = ["second", "third", "first"]
    assert walked(ada, projectId=project.pk) == expected
    assert walked(ada, sessionId=one.pk) == walked(ada, sessionId=two.pk) == expected
    assert walked(ada) == ["elsewhere"]


def test_without_a_project_the_folder_joins_chats(ada: Script) -> None:
    one, two = new_session(ada), new_session(ada)
    prompt(one, "of one")
    prompt(two, "of two")
    assert walked(ada, sessionId=one.pk) == ["of one"]  # each has a folder of its own
    assert walked(ada) == ["of one", "of two"]


def test_it_is_bounded_in_prompts_and_in_characters(ada: Script, monkeypatch) -> None:
    session = new_session(ada)
    for number in range(8):
        prompt(session, f"prompt {number}")
    prompt(session, "x" * (history.MAX_CHARS + 1))
    assert walked(ada)[-1] == "prompt 7"
    monkeypatch.setattr(history, "MAX_PROMPTS", 3)
    assert walked(ada) == ["prompt 5", "prompt 6", "prompt 7"]
    monkeypatch.setattr(history, "MAX_CHARS_TOGETHER", 16)
    assert walked(ada) == ["prompt 6", "prompt 7"]


def test_it_is_of_one_person_alone(ada: Script, bob: Script, project: Project) -> None:
    mine = chat_in(project)
    prompt(mine, "mine")
    assert walked(bob) == []
    for query in ({"projectId": project.pk}, {"sessionId": mine.pk}, {"projectId": uuid.uuid4()}):
        assert bob.get("/api/history", **query).status_code == 404
    both = {"projectId": project.pk, "sessionId": mine.pk}
    assert ada.get("/api/history", **both).status_code == 400
