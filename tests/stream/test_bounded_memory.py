"""I8 in bytes: readers that do not read cost little, whatever an agent has put into the chat."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import pytest

from tests.support.server import eventually

MB = 1_000_000
CHAT = 160 * MB
MOST_MB = 64
READERS = 32
WINDOW = 16 * 1024
# A stream, a feed, a page, an export: each asks for as much as it may have.
KINDS = (
    "/api/chat/events?watch={id}",
    "/api/chat/events?watch={id}:1",
    "/events/{id}?lastEventId={id}:1",
    "/api/sessions/{id}/messages?limit=200",
    "/api/sessions/{id}/snapshot",
    "/api/sessions/{id}/events?limit=200",
    "/api/sessions/{id}/export?format=md",
    "/api/sessions/{id}/export?format=jsonl",
)


@contextmanager
def unread(url: str, token: str, path: str) -> Iterator[socket.socket]:
    """Ask for something and read nothing of the answer."""
    parts = urlsplit(url)
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW)
        sock.settimeout(20)
        sock.connect((parts.hostname, parts.port))
        lines = [f"GET {path} HTTP/1.1", f"Host: {parts.netloc}", f"Authorization: Bearer {token}"]
        sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        yield sock


def warm_up(server, token):
    """Let the server load all that it needs for an answer of each kind."""
    small = server.data.call("create_session", name="ada")
    server.data.call("long_chat", session=small, turns=2, chars=1000, is_open=True)
    for kind in KINDS:
        with unread(server.url, token, kind.format(id=small)) as sock:
            assert status_of(sock) == 200


def status_of(sock: socket.socket) -> int:
    return int(sock.recv(4096, socket.MSG_PEEK).split()[1])


@pytest.mark.slow
@pytest.mark.parametrize(("turns", "blocks"), [(39, 1), (19, 400)])
def test_i8_stalled_readers_of_a_chat_of_160_mb(make_server, turns, blocks):
    server = make_server(options=["--no-agents"])
    session = server.data.call("create_session", name="ada")
    server.data.call(
        "long_chat",
        session=session,
        turns=turns,
        chars=CHAT // (turns + 1),
        blocks=blocks,
        is_open=True,
    )
    token = server.token("ada")
    warm_up(server, token)
    before = most = server.memory_mb()
    with ExitStack() as opened:
        asked = [
            opened.enter_context(
                unread(server.url, token, KINDS[number % len(KINDS)].format(id=session))
            )
            for number in range(READERS)
        ]
        last_look = time.monotonic() + 10
        while time.monotonic() < last_look:
            most = max(most, server.memory_mb())
            time.sleep(0.02)
        assert {status_of(sock) for sock in asked} == {200, 429}
    assert most - before < MOST_MB
    eventually(lambda: server.memory_mb() - before < MOST_MB / 2, within_s=20)


def test_a_fifth_page_waits_and_is_refused_while_four_are_not_read(make_server):
    server = make_server(
        options=["--no-agents"],
        environment={"CHAT_ANSWER_STALL_S": "4", "CHAT_EXPORTS_AT_ONCE": "0"},
    )
    session = server.data.call("create_session", name="ada")
    server.data.call("long_chat", session=session, turns=4, chars=8 * MB)
    token = server.token("ada")
    # Longer than the buffers of the system on the way.
    path = f"/api/sessions/{session}/export?format=md"
    with ExitStack() as opened, server.client("ada") as client, server.client("eve") as other:
        for _ in range(4):
            assert status_of(opened.enter_context(unread(server.url, token, path))) == 200
        refused = client.get("/api/sessions")
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
        assert refused.headers["Retry-After"] == "1"
        assert other.get("/api/sessions").status_code == 200
        # Those that read nothing are disconnected, and others of their user come in.
        eventually(lambda: client.get("/api/sessions").status_code == 200, within_s=30)


def test_a_slow_reader_that_reads_gets_all_of_it(make_server):
    server = make_server(options=["--no-agents"], environment={"CHAT_ANSWER_STALL_S": "1"})
    session = server.data.call("create_session", name="ada")
    server.data.call("long_chat", session=session, turns=1, chars=3 * MB)
    with unread(server.url, server.token("ada"), f"/api/sessions/{session}/export") as sock:
        received = b""
        deadline = time.monotonic() + 60
        while not received.endswith(b"0\r\n\r\n") and time.monotonic() < deadline:
            received += sock.recv(65_536)
            time.sleep(0.02)
        assert received.count(b"All of it, line by line.") > 3 * MB // 25 - 100
