"""The flows of a person's day through a whole server, with two real agents at a scripted model.

`asking` makes the model say what it has heard, so that a flow holds to its end: what reaches the
agent counts, and not what the server has sent.
"""

from __future__ import annotations

import base64
import hashlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.agents.backends import CLAUDE, CODEX, agents_file
from tests.agents.cases import LIMIT_S, START_S
from tests.agents.contract import Backend
from tests.agents.endpoint import asking
from tests.agents.mcp_tools import PIXEL
from tests.agents.talking import Json, Talk, assert_closed
from tests.support.server import Server, eventually, make_server

__all__ = ["make_server"]

pytestmark = [pytest.mark.agents, pytest.mark.timeout(LIMIT_S)]

SAY = "SCRIPT: say 1"
# Words that no program says of itself.
APPLE, BANANA, CHERRY = "apple-4711", "banana-4712", "cherry-4713"


class Person:
    """A person of a server, and the agent of the test."""

    def __init__(self, http: httpx.Client, backend: Backend) -> None:
        self.talk = Talk(http, agent=backend.name)
        self.http, self.backend = http, backend

    def answer(self, receipt: Json) -> str:
        """Wait for the end of a turn, allow each request of it; return the answer."""
        session_id = receipt["sessionId"]

        def outcome() -> Json | None:
            self.talk.allow(session_id)
            prompt = self.talk.prompt(receipt)
            return prompt if prompt["stopReason"] else None

        prompt = eventually(outcome, within_s=START_S, what=f"the outcome of {receipt}")
        assert prompt["promptState"] == "answered", prompt["error"]
        messages = self.talk.snapshot(session_id)["messages"]
        answers = [m for m in messages if m["turnId"] == prompt["turnId"] and "blocks" in m]
        blocks = [block for message in answers for block in message["blocks"]]
        texts = [block["content"] for block in blocks if block["blockType"] == "text"]
        return "".join(texts).strip()

    def hears(self, session_id: str, words: str) -> bool:
        """Ask whether the model has heard words."""
        said = self.answer(self.talk.send(asking(words), session_id))
        assert said in {"yes", "no"}, said
        return said == "yes"


@pytest.fixture(params=[CLAUDE, CODEX], ids=lambda backend: backend.name)
def backend(request: pytest.FixtureRequest) -> Backend:
    return request.param


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A repository with one commit."""
    folder = tmp_path / "places/work"
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text(f"{CHERRY}\n")
    for command in (
        ("init", "-q", "-b", "main"),
        ("add", "."),
        ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "one"),
    ):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


@pytest.fixture
def serve(
    make_server: Callable[..., Server], backend: Backend, work: Path, tmp_path: Path
) -> Callable[[], Server]:
    """A function that starts a server; the agents of all have one home."""

    def start() -> Server:
        environment = {
            "CHAT_AGENTS_FILE": str(agents_file(backend, tmp_path)),
            "CHAT_WORKSPACE_ROOTS": str(work.parent),
            "CHAT_REQUESTS_PER_MINUTE": "0",
            "CHAT_INTERRUPT_TIMEOUT_S": "15",
            "CHAT_START_TIMEOUT_S": str(START_S),
        }
        return make_server(environment=environment)

    return start


@pytest.fixture
def person(serve: Callable[[], Server], backend: Backend, work: Path) -> Iterator[Person]:
    server = serve()
    server.create_user("alice", staff=True)
    with server.client("alice") as http:
        yield Person(http, backend)
    assert "Traceback" not in server.log()


def test_a_chat_works_in_the_folder_of_its_project(person: Person, work: Path) -> None:
    made = person.http.post("/api/projects", json={"name": "Work", "folder": str(work)})
    assert made.status_code == 201, made.text
    project = made.json()["project"]["id"]
    run = person.backend.run.format("pwd > where")
    receipt = person.talk.send(run, projectId=project)
    person.answer(receipt)
    assert (work / "where").read_text() == f"{work}\n"
    changes = person.talk.read(f"/api/sessions/{receipt['sessionId']}/changes")
    assert [(file["path"], file["status"]) for file in changes["files"]] == [("where", "new")]
    assert_closed(person.talk.events(receipt["sessionId"]))


def test_a_chat_works_in_a_worktree_of_its_own(person: Person, work: Path) -> None:
    run = person.backend.run.format("pwd > where; git branch --show-current >> where")
    receipt = person.talk.send(run, cwd=str(work), worktree={"branch": "fix"})
    person.answer(receipt)
    session_id = receipt["sessionId"]
    place = Path(person.talk.read(f"/api/sessions/{session_id}")["cwd"])
    assert place != work
    assert (place / "where").read_text() == f"{place}\nfix\n"
    assert not (work / "where").exists()
    state = person.talk.read(f"/api/sessions/{session_id}/worktree")
    assert (state["branch"], state["target"], state["losses"]["files"]) == (
        "fix",
        "main",
        ["where"],
    )


def test_an_image_and_a_file_of_the_folder_reach_the_model(person: Person, work: Path) -> None:
    image = base64.b64decode(PIXEL)
    digest = hashlib.sha256(image).hexdigest()
    assert person.http.put(f"/api/blobs/{digest}", content=image).status_code == 201
    sent = {"attachments": [{"blob": digest, "name": "pixel.png"}], "mentions": ["notes.txt"]}
    receipt = person.talk.send(SAY, cwd=str(work), **sent)
    person.answer(receipt)
    session_id = receipt["sessionId"]
    # An agent may send a picture again in its own compression; it stays a PNG.
    assert person.hears(session_id, PIXEL[:11])
    assert person.hears(session_id, "notes.txt")
    assert not person.hears(session_id, "pears-4714")


def test_the_queue_is_changed_while_the_agent_works(person: Person, work: Path) -> None:
    first = person.talk.send(SAY, cwd=str(work))
    person.answer(first)
    session_id = first["sessionId"]
    long = person.talk.send("SCRIPT: slow 300", session_id)
    eventually(lambda: person.talk.snapshot(session_id)["current"], what="its first words")
    waiting = [person.talk.send(f"{word} {SAY}", session_id) for word in (APPLE, BANANA, CHERRY)]
    names = [receipt["clientMsgId"] for receipt in waiting]
    edit = {"clientMsgId": names[0], "text": f"pears-4714 {SAY}", "version": 1}
    answers = [
        person.http.post("/api/chat/edit", json={"sessionId": session_id, **edit}),
        person.http.post(
            "/api/chat/unqueue", json={"sessionId": session_id, "clientMsgId": names[1]}
        ),
        person.http.post(
            "/api/chat/reorder",
            json={"sessionId": session_id, "clientMsgIds": [names[2], names[0]]},
        ),
    ]
    assert [answer.status_code for answer in answers] == [200] * 3, [a.text for a in answers]
    # The last one is wanted now: the turn is stopped for it.
    person.talk.post("interrupt", sessionId=session_id, clientMsgId=names[0])
    for receipt in (waiting[0], waiting[2]):
        person.answer(receipt)
    assert person.talk.prompt(long)["promptState"] == "interrupted"
    assert person.hears(session_id, "pears-4714")
    assert person.hears(session_id, CHERRY)
    assert not person.hears(session_id, APPLE)
    assert not person.hears(session_id, BANANA)
    events = person.talk.events(session_id)
    assert_closed(events)
    begun = [event.get("clientMsgId") for event in events if event["type"] == "turn_start"]
    assert begun[2:4] == [names[0], names[2]]


def test_files_and_chat_go_back_and_a_fork_knows_the_rest(person: Person, work: Path) -> None:
    first = person.talk.send(
        f"{APPLE} {person.backend.run.format('echo one > a.txt')}", cwd=str(work)
    )
    person.answer(first)
    session_id = first["sessionId"]
    second = person.talk.send(
        f"{BANANA} {person.backend.run.format('echo two > a.txt')}", session_id
    )
    person.answer(second)
    fork = {"sessionId": session_id, "at": second["seq"], "clientMsgId": "fork"}
    assert (work / "a.txt").read_text() == "two\n"
    back = {"sessionId": session_id, "to": second["seq"], "files": True, "chat": True}
    answer = person.http.post("/api/chat/rewind", json=back)
    assert (answer.status_code, answer.json()["files"]) == (200, 1), answer.text
    assert (work / "a.txt").read_text() == "one\n"
    assert person.hears(session_id, APPLE)
    assert not person.hears(session_id, BANANA)

    whole = {"sessionId": session_id, "at": person.talk.snapshot(session_id)["cursor"]}
    for request in (fork, {**whole, "clientMsgId": "whole"}):
        made = person.http.post("/api/chat/fork", json=request)
        assert made.status_code == 200, made.text
        other = made.json()["sessionId"]
        assert person.hears(other, APPLE)
        assert not person.hears(other, BANANA)
        assert_closed(person.talk.events(other))
    assert_closed(person.talk.events(session_id))


def test_a_chat_continues_on_another_server_and_the_way_leads_back(
    serve: Callable[[], Server], backend: Backend, work: Path
) -> None:
    before = serve()
    before.create_user("alice", staff=True)
    with before.client("alice") as http:
        person = Person(http, backend)
        receipt = person.talk.send(f"{APPLE} {SAY}", cwd=str(work))
        person.answer(receipt)
        person.talk.stop(receipt["sessionId"])
        person.talk.until(receipt["sessionId"], state="ENDED")
    before.stop()

    after = serve()
    after.create_user("alice", staff=True)
    with after.client("alice") as http:
        person = Person(http, backend)
        path = f"/api/agents/{backend.name}/sessions"
        listed = http.get(path, params={"cwd": str(work)}, timeout=START_S).json()
        [chat] = listed["sessions"]
        taken = {"agent": backend.name, "agentSessionId": chat["agentSessionId"], "cwd": str(work)}
        answers = [http.post("/api/sessions/import", json=taken, timeout=START_S) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 200], answers[0].text
        session_id = answers[0].json()["sessionId"]
        assert answers[1].json()["sessionId"] == session_id
        messages = person.talk.snapshot(session_id)["messages"]
        assert any(APPLE in message.get("text", "") for message in messages)
        after.data.call("age_import", session=session_id)
        assert person.hears(session_id, APPLE)
        told = person.talk.read(f"/api/sessions/{session_id}/terminal")
        assert chat["agentSessionId"] in told["command"]
        assert_closed(person.talk.events(session_id))
