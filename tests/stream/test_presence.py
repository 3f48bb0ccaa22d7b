"""A session is ACTIVE, SUSPENDED or DETACHED by its watchers over all devices and processes."""

from collections.abc import Iterator

import httpx
import pytest

from tests.support.server import Server, eventually
from tests.support.sse import Wire, stream


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("server"), environment={"CHAT_LEASE_S": "3"})
    try:
        yield running.start()
    finally:
        running.close()


@pytest.fixture
def alice(server: Server) -> Iterator[httpx.Client]:
    with server.client("alice") as client:
        yield client


def start_session(alice: httpx.Client, wire: Wire, text: str = "/slow 1") -> str:
    """Return a session whose agent is up and whose first turn is over."""
    wire.wait_for_type("welcome")
    body = {"clientMsgId": f"m-{wire.connection_id}", "sessionId": None, "text": text}
    answer = alice.post("/api/chat/send", json=body, headers=named(wire))
    session = str(answer.json()["sessionId"])
    wire.wait_for(lambda f: f.type == "turn_end" and f.data["sessionId"] == session, within_s=30)
    return session


def named(wire: Wire) -> dict[str, str]:
    return {"X-Connection-ID": wire.connection_id}


def post(alice: httpx.Client, command: str, wire: Wire, session: str) -> None:
    place = {"sessionId": session, "cursor": max([0, *wire.seqs(session)])}
    answer = alice.post(f"/api/chat/{command}", json={"sessions": [place]}, headers=named(wire))
    assert answer.status_code in {200, 204}


def comes_to(server: Server, session: str, state: str) -> None:
    def is_there() -> bool:
        return bool(server.data.call("session", session=session)["state"] == state)

    eventually(is_there, within_s=10, what=f"{state}")


def states(server: Server, session: str) -> list[str]:
    log = server.data.call("events", session=session)
    return [event["state"] for event in log if event["type"] == "session_state_changed"]


def test_states_follow_the_watchers_of_all_devices(server, alice):
    token = server.token("alice")
    with stream(server.url, token) as phone:
        session = start_session(alice, phone)
        comes_to(server, session, "ACTIVE")
        post(alice, "suspend", phone, session)
        comes_to(server, session, "SUSPENDED")
        with stream(server.url, token, watch=[session]) as desk:
            desk.wait_for_type("session_snapshot")
            comes_to(server, session, "ACTIVE")
            post(alice, "suspend", desk, session)
            comes_to(server, session, "SUSPENDED")
            post(alice, "resume", phone, session)
            comes_to(server, session, "ACTIVE")
        # The desk's stream is gone; the phone still looks.
        post(alice, "ack", phone, session)
        comes_to(server, session, "ACTIVE")
    comes_to(server, session, "DETACHED")
    with stream(server.url, token, watch=[session]) as again:
        again.wait_for_type("session_snapshot")
        comes_to(server, session, "ACTIVE")


def test_reload_of_a_page_writes_nothing_into_the_log(server, alice):
    token = server.token("alice")
    with stream(server.url, token) as first:
        session = start_session(alice, first)
        comes_to(server, session, "ACTIVE")
    before = server.data.call("session", session=session)["head"]
    with stream(server.url, token, watch=[f"{session}:{before}"]) as second:
        second.wait_for_type("session_snapshot")
        second.read_for(3)
        assert server.data.call("session", session=session)["head"] == before


def test_unwatch_detaches_and_watch_brings_back(server, alice):
    with stream(server.url, server.token("alice")) as wire:
        session = start_session(alice, wire)
        body = {"sessionId": session}
        alice.post("/api/chat/unwatch", json=body, headers=named(wire))
        comes_to(server, session, "DETACHED")
        alice.post("/api/chat/watch", json=body, headers=named(wire))
        comes_to(server, session, "ACTIVE")
        assert states(server, session)[-2:] == ["DETACHED", "ACTIVE"]


def test_i9_turn_goes_on_when_every_client_is_gone(server, alice):
    with stream(server.url, server.token("alice")) as wire:
        wire.wait_for_type("welcome")
        body = {"clientMsgId": "alone", "sessionId": None, "text": "/slow 30"}
        answer = alice.post("/api/chat/send", json=body, headers=named(wire))
        session = answer.json()["sessionId"]
        wire.wait_for_type("block_delta", within_s=30)

    def has_ended() -> bool:
        log = server.data.call("events", session=session)
        return any(event["type"] == "turn_end" for event in log)

    eventually(has_ended, within_s=20)
    ends = [e for e in server.data.call("events", session=session) if e["type"] == "turn_end"]
    assert [end["stopReason"] for end in ends] == ["end_turn"]


def test_first_answer_to_a_permission_wins_and_the_second_device_is_told(server, alice):
    token = server.token("alice")
    with stream(server.url, token) as phone:
        phone.wait_for_type("welcome")
        body = {"clientMsgId": "two", "sessionId": None, "text": "/run echo hello"}
        answer = alice.post("/api/chat/send", json=body, headers=named(phone))
        session = answer.json()["sessionId"]
        with stream(server.url, token, watch=[f"{session}:0"]) as desk:
            asked = phone.wait_for_type("permission_request", within_s=30).data
            assert desk.wait_for_type("permission_request").data == asked
            allow = next(o["id"] for o in asked["options"] if o["kind"] == "allow_once")
            deny = next(o["id"] for o in asked["options"] if o["kind"].startswith("reject"))
            said = {"sessionId": session, "permId": asked["permId"], "digest": asked["digest"]}
            for digest, code in ((None, "digest_required"), ("0" * 64, "stale_request")):
                other = said | {"optionId": allow, "digest": digest}
                assert alice.post("/api/chat/permission", json=other).json()["code"] == code
            first = alice.post(
                "/api/chat/permission", json=said | {"optionId": allow}, headers=named(phone)
            )
            second = alice.post("/api/chat/permission", json=said | {"optionId": deny})
            assert first.status_code == 200
            assert (second.status_code, second.json()["code"]) == (409, "permission_resolved")
            for wire in (phone, desk):
                wire.wait_for_type("turn_end", within_s=20)
                resolved = wire.wait_for_type("permission_resolved")
                assert resolved.data["decision"] == allow
                assert resolved.data["digest"] == asked["digest"]
                assert resolved.data["credential"].startswith("token:")
                assert resolved.data["connectionId"] == named(phone)["X-Connection-ID"]
            log = server.data.call("events", session=session)
            assert desk.seqs(session) == list(range(1, desk.seqs(session)[-1] + 1))
            assert len([e for e in log if e["type"] == "permission_resolved"]) == 1
