"""Requests before they are authenticated: their size, their time, their headers, their host."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import httpx
import pytest

from tests.support.server import Server
from tests.support.sse import stream

TIMEOUT_S = 1.5
# Of a machine that is slow; what is looked for comes after TIMEOUT_S.
PATIENCE_S = 30.0
HEAD = "POST /api/chat/send HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    running = Server(
        tmp_path_factory.mktemp("server"),
        environment={
            "CHAT_REQUEST_TIMEOUT_S": str(TIMEOUT_S),
            "CHAT_HEARTBEAT_INTERVAL_S": "0.2",
        },
        options=["--no-agents"],
    )
    try:
        yield running.start()
    finally:
        running.close()
    assert "Traceback" not in running.log()


@contextmanager
def connection(server: Server) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as sock:
        yield sock


def answer(sock: socket.socket) -> tuple[int, dict[str, object]]:
    """Return status and body of the answer, and see the connection closed behind it."""
    received = b""
    while chunk := sock.recv(65_536):
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def trickle(sock: socket.socket, text: str) -> None:
    """Send byte after byte, each well within any time for silence, until the server hangs up."""
    sock.setblocking(True)
    for byte in text.encode():
        sock.settimeout(TIMEOUT_S / 10)
        try:
            if not sock.recv(1, socket.MSG_PEEK) or sock.recv(4, socket.MSG_PEEK):
                break
        except TimeoutError:
            sock.sendall(bytes([byte]))
    sock.settimeout(PATIENCE_S)


@pytest.mark.parametrize("length", [3_000_000, 50_000_000])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_body_over_the_limit_is_413_for_who_sends_all_of_it_first(server, length, framing):
    """Up to a bound, that is: past it the connection goes."""
    body = b" " * min(length, 15_000_000)
    with connection(server) as sock:
        if framing == "length":
            sock.sendall(f"{HEAD}Content-Length: {length}\r\n\r\n".encode() + body)
        else:
            sock.sendall(f"{HEAD}Transfer-Encoding: chunked\r\n\r\n{len(body):x}\r\n".encode())
            sock.sendall(body + b"\r\n0\r\n\r\n")
        status, error = answer(sock)
    assert (status, error["code"]) == (413, "body_too_large")


def test_body_that_is_announced_too_large_is_refused_before_it_comes(server):
    with connection(server) as sock:
        head = f"{HEAD}Expect: 100-continue\r\nContent-Length: 67108864\r\n\r\n"
        sock.sendall(head.encode())
        assert sock.recv(65_536).startswith(b"HTTP/1.1 413 ")


def test_body_that_a_prompt_can_need_is_read(server):
    with connection(server) as sock:
        length = 2_600_000
        head = f"{HEAD}Connection: close\r\nContent-Length: {length}\r\n\r\n"
        sock.sendall(head.encode() + b" " * length)
        assert answer(sock)[0] == 401


@pytest.mark.parametrize(
    "begin",
    ["", HEAD, f"{HEAD}Content-Length: 2000\r\n\r\n", f"{HEAD}Transfer-Encoding: chunked\r\n\r\n1"],
    ids=["request line", "headers", "body", "chunked body"],
)
def test_request_that_trickles_is_ended_at_its_deadline(server, begin):
    with connection(server) as sock:
        begun = time.monotonic()
        sock.sendall(begin.encode())
        trickle(sock, "1" * 1000 if "\r\n\r\n" in begin else "A" * 1000)
        assert time.monotonic() - begun > TIMEOUT_S * 0.9
        status, error = answer(sock)
    assert (status, error["code"]) == (408, "request_timeout")


def test_second_request_of_a_connection_has_a_deadline_too(server):
    with connection(server) as sock:
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        received = b""
        while not received.endswith(b"}"):
            received += sock.recv(65_536)
        assert received.startswith(b"HTTP/1.1 200 ")
        trickle(sock, "A" * 1000)
        assert answer(sock)[0] == 408


def test_stream_whose_request_has_arrived_goes_on(server):
    session = server.data.call("create_session", name="alice")
    with stream(server.url, server.token("alice"), watch=[session]) as wire:
        wire.wait_for_type("session_snapshot")
        begun = time.monotonic()
        # What a client sends meanwhile is no request that could be late.
        wire.sock.sendall(b"G")
        while time.monotonic() - begun < 2 * TIMEOUT_S:
            wire.read(0.2)
            assert not wire.ended
        head = server.data.call("append", session=session, count=1)
        wire.wait_for(lambda frame: frame.data.get("seq") == head)


def test_web_socket_is_refused_in_peace(server):
    with connection(server) as sock:
        sock.sendall(
            b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        received = b""
        while chunk := sock.recv(65_536):
            received += chunk
    assert received.startswith(b"HTTP/1.1 403 ")
    assert "Traceback" not in server.log()
    assert "websocket" not in server.log()


# Broken addresses, lists, dates and tokens; bytes that are no text.
HOSTILE = [
    b"http://[",
    b"http://[::1",
    b"//a:b",
    b"\xc3\xa9",
    b"\xff",
    b"bytes=x-",
    b"Bearer \xff",
    b"a=;;",
]
HEADERS = [
    *("Origin", "Referer", "Host", "Cookie", "Authorization", "X-Connection-ID", "Range"),
    *("If-None-Match", "If-Modified-Since", "Last-Event-ID", "X-Forwarded-For", "Content-Type"),
    *("Forwarded", "Grip-Sig", "Accept", "X-CSRFToken", "Daphne-Root-Path", "Accept-Encoding"),
]
READ = ["/login/", "/static/sessions/main.js", f"/events/{uuid4()}", "/api/chat/events", "/metrics"]
POSTED = ["/api/chat/suspend", "/login/"]


@pytest.mark.parametrize("value", HOSTILE)
def test_no_header_makes_the_server_fail(server, value: bytes):
    with httpx.Client(base_url=server.url, cookies=server.login("alice"), timeout=20) as client:
        for name in HEADERS:
            for path in READ:
                with client.stream("GET", path, headers={name: value}) as answer:
                    assert answer.status_code < 500, (name, path)
            for path in POSTED:
                answer = client.post(path, headers={name: value}, content=b"{}")
                assert answer.status_code < 500, (name, path)
    assert "Traceback" not in server.log()


@pytest.mark.parametrize(
    "path", ["/api/chat/events", "/events/{session}", "/static/sessions/main.js"]
)
def test_a_strange_host_is_refused_where_django_is_bypassed(server, path: str):
    session = server.data.call("create_session", name="alice")
    authorization = {"Authorization": f"Bearer {server.token('alice')}"}
    url = server.url + path.replace("{session}", session)
    for host in ("evil.example", "127.0.0.1.evil.example", "[::2]", "", "a b"):
        refused = httpx.get(url, headers=authorization | {"Host": host})
        assert refused.status_code == 400, host
    with httpx.stream("GET", url, headers=authorization | {"Host": "localhost:1"}) as fine:
        assert fine.status_code == 200
