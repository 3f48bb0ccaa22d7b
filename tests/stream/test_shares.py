"""Shares of a real server: rates, requests and connections at once, for users and for addresses."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from lab.rig.waiting import PATIENCE_S
from tests.support.server import Server, eventually
from tests.support.sse import stream

# So many calls may get through an empty bucket at most, while a slow machine asks.
REFILLED = 5


def code(answer: httpx.Response) -> tuple[int, str]:
    if answer.status_code in (429, 503):
        assert int(answer.headers["retry-after"]) >= 1
    return answer.status_code, answer.json().get("code", "")


def until_refused(call, limit: int) -> int:
    """Return how many calls got through; fail when none is refused."""
    for number in range(limit):
        if code(answer := call())[0] == 429:
            assert code(answer) == (429, "too_many_requests")
            assert answer.json()["retryAfter"] >= 1
            return number
    pytest.fail("no request was refused")


def test_a_user_s_requests_have_a_rate_and_ways_out_stay_open(make_server):
    server = make_server(environment={"CHAT_REQUESTS_PER_MINUTE": "30"}, options=["--no-agents"])
    session = server.data.call("create_session", name="alice")
    with server.client("alice") as alice, server.client("bob") as bob:
        assert 30 <= until_refused(lambda: alice.get("/api/sessions"), 60) < 40
        until_refused(lambda: alice.post("/api/chat/ack", json={"sessions": []}), REFILLED)
        for name in ("interrupt", "stop", "close"):
            assert alice.post(f"/api/chat/{name}", json={"sessionId": session}).status_code == 202
        assert bob.get("/api/sessions").status_code == 200


def test_strangers_have_a_rate_by_address_and_cost_users_nothing(make_server):
    server = make_server(
        environment={"CHAT_STRANGER_REQUESTS_PER_MINUTE": "20", "PROXY_COUNT": "1"},
        options=["--no-agents"],
    )

    def ask(address: str, path: str = "/api/sessions", **headers: str) -> httpx.Response:
        return httpx.get(server.url + path, headers={"X-Forwarded-For": address, **headers})

    with server.client("alice") as alice:
        alice.headers["X-Forwarded-For"] = "192.0.2.1"
        assert alice.get("/api/sessions").status_code == 200
        assert 20 <= until_refused(lambda: ask("192.0.2.1"), 60) < 30
        assert any(ask("192.0.2.1", "/login/").status_code == 429 for _ in range(REFILLED))
        # A port, or another address of an IPv6 network, is the same client.
        until_refused(lambda: ask("192.0.2.1:4711"), REFILLED)
        assert 20 <= until_refused(lambda: ask("2001:db8::1"), 60) < 30
        until_refused(lambda: ask("2001:db8::ffff:2"), REFILLED)
        assert ask("2001:db8:0:1::1").status_code == 401
        # What a load balancer asks, and what every page needs, is free.
        assert ask("192.0.2.1", "/healthz").status_code == 200
        assert ask("192.0.2.1", "/static/sessions/main.js").status_code == 200
        assert alice.get("/api/sessions").status_code == 200


def test_opening_streams_has_a_rate(make_server):
    server = make_server(environment={"CHAT_STREAMS_PER_MINUTE": "2"}, options=["--no-agents"])
    token = server.token("alice")
    for _ in range(2):
        with stream(server.url, token) as wire:
            wire.wait_for_type("welcome")
    with server.client("alice") as alice, server.client("bob") as bob:
        assert code(alice.get("/api/chat/events")) == (429, "too_many_requests")
        session = server.data.call("create_session", name="alice")
        assert code(alice.get(f"/events/{session}")) == (429, "too_many_requests")
        assert alice.get("/api/sessions").status_code == 200
        with bob.stream("GET", "/api/chat/events") as answer:
            assert answer.status_code == 200


@pytest.fixture
def crowded(make_server) -> Server:
    return make_server(
        environment={"CHAT_MAX_CONNECTIONS_PER_ADDRESS": "8"}, options=["--no-agents"]
    )


@contextmanager
def connections(server: Server, count: int) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port), PATIENCE_S))
            for _ in range(count)
        ]


REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


def status(sock: socket.socket) -> bytes:
    sock.settimeout(PATIENCE_S)
    sock.sendall(REQUEST)
    return sock.recv(65_536)


def test_a_stranger_s_connections_are_limited_and_free_again(crowded):
    with connections(crowded, 8) as held:
        assert all(status(sock).startswith(b"HTTP/1.1 200 ") for sock in held)
        with connections(crowded, 2) as more:
            for sock in more:
                answer = status(sock)
                assert answer.startswith(b"HTTP/1.1 503 ")
                assert b"\r\nRetry-After: " in answer
                assert json.loads(answer.rpartition(b"\r\n\r\n")[2])["code"] == "server_busy"
    eventually(
        lambda: httpx.get(f"{crowded.url}/healthz").status_code == 200,
        within_s=PATIENCE_S,
        what="room again",
    )


def test_a_silent_connection_that_is_one_too_many_is_closed_soon(crowded):
    with connections(crowded, 8), connections(crowded, 1) as [silent]:
        silent.settimeout(PATIENCE_S)
        assert silent.recv(1) == b""


def test_a_user_s_connections_are_no_stranger_s(crowded):
    token = crowded.token("alice")
    with ExitStack() as stack:
        for _ in range(7):
            wire = stack.enter_context(stream(crowded.url, token))
            wire.wait_for_type("welcome")
        with connections(crowded, 8) as held:
            assert all(status(sock).startswith(b"HTTP/1.1 200 ") for sock in held)
    # A user has as many.
    with ExitStack() as stack:
        for number in range(9):
            client = stack.enter_context(
                httpx.Client(base_url=crowded.url, headers={"Authorization": f"Bearer {token}"})
            )
            answer = client.get("/api/sessions")
            assert code(answer)[0] == (200 if number < 8 else 429), number
        assert code(answer) == (429, "too_many_connections")


def test_searches_and_exports_at_once(make_server):
    server = make_server(options=["--no-agents"], environment={"CHAT_REQUEST_TIMEOUT_S": "600"})
    session = server.data.call("create_session", name="alice")
    # Longer than the buffers of the system on the way.
    server.data.call("long_chat", session=session, turns=2, chars=8_000_000)
    token = server.token("alice")
    target = f"/api/sessions/{session}/export?format=jsonl"
    head = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
    with server.client("alice") as alice, server.client("bob") as bob:
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE_S) as slow:
            # A client that does not read: its export is under way until it is gone.
            slow.sendall(head.encode())
            assert slow.recv(16).startswith(b"HTTP/1.1 200")
            answer = alice.get(target)
            assert code(answer) == (429, "too_many_requests")
            assert alice.get("/api/sessions").status_code == 200
            other = server.data.call("create_session", name="bob")
            assert bob.get(f"/api/sessions/{other}/export").status_code == 200
        # It has cancelled the first: the next one begins, and is not refused.
        assert alice.get(target, timeout=60).status_code == 200
        assert alice.get(f"/api/sessions/{session}/messages").status_code == 200


def test_searches_at_once_are_limited_and_all_are_answered_in_the_end(make_server):
    server = make_server(environment={"CHAT_SEARCHES_AT_ONCE": "1"}, options=["--no-agents"])
    session = server.data.call("create_session", name="alice")
    server.data.call("append", session=session, count=3_000)
    credentials = {"Authorization": f"Bearer {server.token('alice')}"}
    answers: list[httpx.Response] = []

    def search() -> None:
        with httpx.Client(base_url=server.url, headers=credentials, timeout=60) as client:
            answers.extend(client.get("/api/sessions", params={"q": "a b c d"}) for _ in range(30))

    searching = [threading.Thread(target=search) for _ in range(6)]
    for each in searching:
        each.start()
    for each in searching:
        each.join()
    assert {code(answer) for answer in answers} - {(429, "too_many_requests")} == {(200, "")}
