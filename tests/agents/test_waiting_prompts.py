"""Prompts that wait, with an agent that answers: edited, moved, withdrawn, sent now."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from sessions.control import queue
from sessions.core.db import in_thread
from sessions.core.errors import Dispatched
from sessions.eventlog import audit
from tests.support.running import Chat, assert_well_formed, running_chat
from tests.support.server import Server, eventually, make_server

__all__ = ["make_server"]

pytestmark = pytest.mark.django_db(transaction=True)

# Of an answer to "/slow N" the last word is "wordN".
PATIENCE_S = 60.0
ROUNDS = 12


@pytest.fixture
async def chat(settings):
    settings.CHAT = {"SENDS_PER_MINUTE": 10_000, "INTERRUPT_TIMEOUT_S": 2}
    async with running_chat() as chat:
        yield chat


async def test_send_now_runs_the_edited_prompt_and_the_others_follow_in_their_order(
    chat: Chat,
) -> None:
    running = await chat.send("/slow 4000")
    session_id = running.session_id
    await chat.answering(session_id)
    back, edited, last = [await chat.send(f"/slow {n}", session_id) for n in (1, 2, 3)]
    one: dict[str, Any] = {"user": chat.user, "session_id": session_id}
    await in_thread(queue.withdraw, **one, client_msg_id=back.client_msg_id)
    await in_thread(
        queue.edit, **one, client_msg_id=edited.client_msg_id, text="/slow 4", version=1
    )
    names = [last.client_msg_id, edited.client_msg_id]
    await in_thread(queue.reorder, **one, client_msg_ids=names)
    taken = await chat.snapshot(session_id)
    assert [each["clientMsgId"] for each in taken["queue"]] == names
    outcome = await chat.interrupt(session_id, client_msg_id=edited.client_msg_id)
    assert outcome.interrupted
    await chat.settled(last)
    events = await chat.events(session_id)
    begun = [e.payload["clientMsgId"] for e in events if e.type == "turn_start"]
    assert begun == [running.client_msg_id, edited.client_msg_id, last.client_msg_id]
    answers = [e.payload["content"].split()[-1] for e in events if e.type == "block_end"]
    assert answers[1:] == ["word4", "word3"]
    assert_well_formed(events)
    assert (await in_thread(audit.check, session_id)).problems == []


async def test_i4_an_edit_at_the_moment_of_the_handover_is_in_the_answer_or_refused(
    chat: Chat,
) -> None:
    """The turn before ends by itself while the edit is on its way: the log says which was first."""
    session_id = (await chat.send("/slow 1")).session_id
    for number in range(ROUNDS):
        before = await chat.send("/slow 1", session_id)
        receipt = await chat.send("/slow 2", session_id)
        # Another moment each time: so many events after the first of the two prompts.
        moment = before.seq + 1 + number
        await chat.until(session_id, lambda taken, at=moment: taken["cursor"] >= at)
        try:
            await in_thread(
                queue.edit,
                user=chat.user,
                session_id=session_id,
                client_msg_id=receipt.client_msg_id,
                text="/slow 3",
                version=1,
            )
            expected = "word3"
        except Dispatched:
            expected = "word2"
        prompt = await chat.settled(receipt)
        events = await chat.events(session_id)
        [turn] = [
            e
            for e in events
            if e.payload.get("clientMsgId") == receipt.client_msg_id and e.type == "turn_start"
        ]
        [answer] = [e for e in events if e.type == "block_end" and e.seq > turn.seq]
        assert answer.payload["content"].split()[-1] == expected
        assert prompt["text"] == ("/slow 3" if expected == "word3" else "/slow 2")
    assert (await in_thread(audit.check, session_id)).problems == []


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_i4_devices_at_once_over_real_processes(request, make_server, database: str) -> None:
    """Two devices change what a runner is about to take, while a third sends more."""
    environment = {"CHAT_SENDS_PER_MINUTE": "10000"}
    if database == "postgresql":
        environment["DATABASE_URL"] = request.getfixturevalue("postgres_url")
    server: Server = make_server(environment=environment)
    with server.client("alice") as http:

        def post(name: str, **body: object) -> tuple[int, dict[str, Any]]:
            answer = http.post(f"/api/chat/{name}", json=body)
            return answer.status_code, answer.json()

        def send(text: str, session: str | None) -> tuple[str, str]:
            name = str(uuid.uuid4())
            more = {} if session else {"agent": "demo"}
            status, told = post("send", clientMsgId=name, sessionId=session, text=text, **more)
            assert status == 202, told
            return name, told["sessionId"]

        _, session = send("/slow 1", None)
        withdrawn, edited = set(), {}
        for number in range(ROUNDS):
            names = [send("/slow 1", session)[0] for _ in range(3)]
            status, told = post("reorder", sessionId=session, clientMsgIds=names[::-1])
            assert status == 200 or told["code"] == "dispatched", told
            body = {"sessionId": session, "clientMsgId": names[number % 3]}
            status, told = post("edit", **body, text="/slow 2", version=1)
            assert status == 200 or told["code"] == "dispatched", told
            edited[names[number % 3]] = status == 200
            status, told = post("unqueue", sessionId=session, clientMsgId=names[(number + 1) % 3])
            assert status == 200 or told["code"] == "dispatched", told
            if status == 200:
                withdrawn.add(names[(number + 1) % 3])
        path = f"/api/sessions/{session}/snapshot"

        def is_idle() -> bool:
            taken = http.get(path).json()
            return not taken["queue"] and taken["turn"] is None

        eventually(is_idle, within_s=PATIENCE_S)
        log = server.data.call("events", session=session)
        begun = [e["clientMsgId"] for e in log if e["type"] == "turn_start"]
        sent = [e["clientMsgId"] for e in log if e["type"] == "user_message"]
        assert len(set(begun)) == len(begun)
        assert set(begun) == set(sent) - withdrawn
        for name, is_edited in edited.items():
            if name in withdrawn:
                continue
            [start] = [
                e["seq"] for e in log if e["type"] == "turn_start" and e["clientMsgId"] == name
            ]
            end = next(e for e in log if e["type"] == "block_end" and e["seq"] > start)
            assert end["content"].split()[-1] == ("word2" if is_edited else "word1")
