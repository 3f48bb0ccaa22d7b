"""Security headers: on every answer of a real server, whichever part of it answers."""

import http.client
import json
import re
import socket
from urllib.parse import quote

import pytest

from chatproject.headers import (
    BARE_HEADERS,
    CONTENT_SECURITY_POLICY,
    SECURITY_HEADERS,
    TRUSTED_TYPES,
)
from tests.db.test_matrix import ALL
from tests.support.server import Server

# Pages have one directive more in their policy.
ALWAYS = {name.decode(): value.decode() for name, value in SECURITY_HEADERS[1:]}
POLICY = CONTENT_SECURITY_POLICY
# Of data, and of the parts of a page.
BARE = {name.decode(): value.decode() for name, value in BARE_HEADERS}


def answer(
    server: Server, path: str, *, method: str = "GET", body: bytes = b"", **headers: str
) -> tuple[int, dict[str, str]]:
    """Return status and headers of an answer; its body is left unread."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        connection.request(method, path, body or None, headers)
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/login/", 200),
        ("/", 302),
        ("/nothing-here", 404),
        ("/healthz", 200),
        ("/metrics", 200),
        ("/api/sessions", 401),
        ("/api/nothing", 404),
        ("/api/chat/events", 401),
        ("/events/6f1f6c0e-0a35-4a0c-8d2e-0f7a5a3b1c2d", 401),
        ("/static/sessions/icon.svg", 200),
        ("/static/none.js", 404),
        ("/admin/", 302),
    ],
)
def test_every_kind_of_answer_has_them(server: Server, path: str, status: int) -> None:
    got, headers = answer(server, path)
    assert got == status
    if headers["content-type"].startswith(("application/json", "image/svg+xml")):
        assert {name: headers.get(name) for name in BARE} == BARE
        assert "permissions-policy" not in headers
    else:
        assert {name: headers.get(name) for name in ALWAYS} == ALWAYS
        has_foreign_scripts = path.startswith("/admin/")
        policy = POLICY if has_foreign_scripts else f"{POLICY}; {TRUSTED_TYPES}"
        assert headers["content-security-policy"] == policy
    is_static = path.startswith("/static/sessions")
    assert ("no-store" in headers["cache-control"]) is not is_static


def path_of(pattern: str) -> str:
    """Return a path of a route of the URL table."""
    path = re.sub(r"\(\?P<\w+>[^)]*\)|<int:\w+>", "999999", pattern.strip("^$"))
    return "/" + quote(re.sub(r"<(\w+:)?\w+>", "6f1f6c0e-0a35-4a0c-8d2e-0f7a5a3b1c2d", path))


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
def test_every_route_has_them(server: Server, method: str) -> None:
    without = []
    for pattern in ALL:
        _, headers = answer(server, path_of(pattern), method=method)
        is_page = headers.get("content-type", "").startswith("text/html")
        fixed = ALWAYS if is_page else BARE
        # A view may have a policy and a referrer of its own, and no answer goes without.
        own = {"content-security-policy", "referrer-policy"}
        wanted = {name: value for name, value in fixed.items() if name not in own}
        has_own = all(headers.get(name) for name in own)
        if not has_own or {name: headers.get(name) for name in wanted} != wanted:
            without.append((pattern, headers))
        assert "no-store" in headers["cache-control"], pattern
    assert without == []


def test_a_stream_has_them(server: Server) -> None:
    token = server.token("ada")
    status, headers = answer(server, "/api/chat/events", Authorization=f"Bearer {token}")
    assert status == 200
    assert headers["content-type"].startswith("text/event-stream")
    assert {name: headers.get(name) for name in BARE} == BARE


def test_an_answer_before_any_application_has_them(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as raw:
        raw.sendall(
            b"POST /api/chat/send HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        head = raw.recv(65536).decode().partition("\r\n\r\n")[0].lower()
    assert " 413 " in head.splitlines()[0]
    for name, value in ALWAYS.items():
        assert f"{name}: {value}".lower() in head


def test_browsers_insist_on_https_behind_a_proxy_that_ends_tls(make_server) -> None:
    server = make_server(environment={"BEHIND_HTTPS": "1"})
    _, headers = answer(server, "/healthz", **{"X-Forwarded-Proto": "https"})
    assert headers["strict-transport-security"] == "max-age=31536000"
    _, headers = answer(server, "/healthz")
    assert "strict-transport-security" not in headers


def test_a_view_keeps_its_own_value(server: Server) -> None:
    _, headers = answer(server, "/login/once/none")
    assert headers["referrer-policy"] == "strict-origin"
    assert json.dumps(headers).count("referrer-policy") == 1
