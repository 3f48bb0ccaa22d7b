"""A full disk: agents can be stopped all the same, and the log is whole when there is room again.

The limit on the size of files stands for the disk: any user may set it, and lift it again.
"""

import contextlib
import resource
import uuid
from collections.abc import Iterator

import httpx
import psutil
import pytest

from sessions.agents.processes import tree
from tests.agents.talking import Talk, assert_closed
from tests.support.server import Server, eventually, make_server

__all__ = ["make_server"]

# A turn whose lease runs out ends by that: no machine is so slow that it does meanwhile.
QUICK = {"CHAT_INTERRUPT_TIMEOUT_S": "1", "CHAT_STOP_GRACE_S": "1", "CHAT_LEASE_S": "60"}


@contextlib.contextmanager
def full_disk_of(server: Server) -> Iterator[None]:
    """Let no file of the server grow."""
    process = psutil.Process(server.pid)
    before = process.rlimit(resource.RLIMIT_FSIZE)
    process.rlimit(resource.RLIMIT_FSIZE, (1, before[1]))
    try:
        yield
    finally:
        process.rlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def server(make_server):
    return make_server(environment=QUICK)


@pytest.fixture
def http(server) -> Iterator[httpx.Client]:
    with server.client("alice") as client:
        yield client


def answering(talk: Talk) -> dict:
    receipt = talk.send("/slow 4000")
    eventually(
        lambda: (
            (current := talk.snapshot(receipt["sessionId"])["current"])
            and any(block["content"] for block in current["blocks"])
        ),
        within_s=30,
        what="an answer",
    )
    return receipt


def test_i7_an_agent_is_stopped_while_nothing_can_be_stored(server, http):
    talk = Talk(http)
    receipt = answering(talk)
    with full_disk_of(server):
        answer = talk.stop(receipt["sessionId"])
        assert (answer["ok"], answer["interrupted"]) == (True, True)
        assert tree.of_session(receipt["sessionId"]) == []
    prompt = talk.settled(receipt)
    assert (prompt["promptState"], prompt["stopReason"]) == ("interrupted", "interrupted")
    talk.until(receipt["sessionId"], state="ENDED")
    again = talk.send("/slow 1", receipt["sessionId"])
    assert talk.settled(again)["promptState"] == "answered"
    assert_closed(talk.events(receipt["sessionId"]))


def test_i7_an_interrupt_ends_the_turn_and_a_close_the_agent(server, http):
    talk = Talk(http)
    receipt = answering(talk)
    with full_disk_of(server):
        assert talk.interrupt(receipt["sessionId"])["interrupted"]
        assert talk.post("close", sessionId=receipt["sessionId"])["ok"]
        eventually(
            lambda: not tree.of_session(receipt["sessionId"]), within_s=20, what="the agent's end"
        )
    assert talk.settled(receipt)["stopReason"] == "interrupted"
    talk.until(receipt["sessionId"], state="ENDED")
    assert_closed(talk.events(receipt["sessionId"]))


def test_a_prompt_is_refused_with_a_sentence_and_readyz_says_why(server, http):
    talk = Talk(http)
    receipt = talk.send("/slow 1")
    talk.settled(receipt)
    body = {"clientMsgId": str(uuid.uuid4()), "sessionId": receipt["sessionId"], "text": "more"}
    with full_disk_of(server):
        answer = http.post("/api/chat/send", json=body)
        assert (answer.status_code, answer.json()["code"]) == (503, "storage_full")
        assert "disk" in answer.json()["error"]
        assert int(answer.headers["Retry-After"]) > 0
        ready = http.get("/readyz")
        assert ready.status_code == 503
        assert "disk" in ready.json()["checks"]["disk"]
    # A store that works tells that there is room again.
    talk.post("close", sessionId=receipt["sessionId"])
    talk.until(receipt["sessionId"], state="ENDED")
    assert http.get("/readyz").json()["checks"]["disk"] == "ok"
    answer = http.post("/api/chat/send", json=body)
    assert answer.status_code == 202
    assert talk.settled(answer.json())["promptState"] == "answered"


def test_a_stranger_stops_nothing_past_the_log(server, http):
    talk = Talk(http)
    receipt = answering(talk)
    with server.client("mallory") as stranger, full_disk_of(server):
        for name in ("interrupt", "stop", "close"):
            answer = stranger.post(f"/api/chat/{name}", json={"sessionId": receipt["sessionId"]})
            assert answer.status_code == 404
        assert tree.of_session(receipt["sessionId"])
    talk.stop(receipt["sessionId"])
    assert talk.settled(receipt)["promptState"] == "interrupted"


def test_too_little_room_refuses_new_prompts_alone(make_server):
    server = make_server(environment={"CHAT_MIN_FREE_MB": str(10**9)})
    with server.client("alice") as http:
        body = {"clientMsgId": "c", "sessionId": None, "text": "hello", "agent": "demo"}
        answer = http.post("/api/chat/send", json=body)
        assert (answer.status_code, answer.json()["code"]) == (503, "storage_full")
        assert "nearly full" in answer.json()["error"]
        assert http.get("/api/sessions").status_code == 200
        assert "nearly full" in http.get("/readyz").json()["checks"]["disk"]
