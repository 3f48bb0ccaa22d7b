"""Every command against a real server: what it answers, to good and to bad input."""

import json
import socket
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import httpx
import pytest

from lab.rig.origin_key import HEADERS
from tests.support.browsing import cookie
from tests.support.server import Server, eventually
from tests.support.sse import Wire, stream

UNKNOWN = "00000000-0000-4000-8000-000000000000"
OPTIONAL = {("watch", "cursor"), ("interrupt", "turnId")}
NEEDS_CONNECTION = ["watch", "unwatch", "switch", "suspend", "resume", "reconnect", "ack", "probe"]


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    # No agents here: a prompt stays where it was put.
    running = Server(
        tmp_path_factory.mktemp("server"),
        options=["--no-agents"],
        environment={"CHAT_MAX_WATCHES": "4", "CHAT_SENDS_PER_MINUTE": "1000"},
    )
    try:
        yield running.start()
    finally:
        running.close()
    assert "Traceback" not in running.log()


@pytest.fixture(scope="module")
def alice(server: Server) -> Iterator[httpx.Client]:
    with server.client("alice") as client:
        yield client


@pytest.fixture(scope="module")
def session(server: Server) -> str:
    return str(server.data.call("create_session", name="alice"))


@pytest.fixture(scope="module")
def foreign(server: Server) -> str:
    return str(server.data.call("create_session", name="bob"))


@pytest.fixture
def wire(server: Server, session: str) -> Iterator[Wire]:
    with stream(server.url, server.token("alice"), watch=[session]) as opened:
        opened.wait_for_type("session_snapshot")
        yield opened


def post(client: httpx.Client, name: str, body: Any = None, wire: Wire | str | None = None):
    headers = {}
    if wire is not None:
        headers["X-Connection-ID"] = wire if isinstance(wire, str) else wire.connection_id
    return client.post(f"/api/chat/{name}", json=body, headers=headers)


def refused(answer: httpx.Response) -> tuple[int, str]:
    body = answer.json()
    assert body["ok"] is False
    assert body["error"]
    assert answer.headers["content-type"].startswith("application/json")
    return answer.status_code, body["code"]


def good(session: str) -> dict[str, dict[str, Any]]:
    place = {"sessions": [{"sessionId": session, "cursor": 1}]}
    return {
        "send": {"clientMsgId": f"m-{uuid.uuid4()}", "sessionId": session, "text": "hello"},
        "interrupt": {"sessionId": session, "turnId": "t"},
        "stop": {"sessionId": session},
        "permission": {"sessionId": session, "permId": "p", "optionId": "o"},
        "mode": {"sessionId": session, "mode": "m"},
        "watch": {"sessionId": session, "cursor": 1},
        "unwatch": {"sessionId": session},
        "switch": {"sessionId": session},
        "suspend": place,
        "resume": place,
        "reconnect": place,
        "ack": place,
        "probe": {"nonce": "n"},
        "close": {"sessionId": session},
    }


def wrong_values() -> Iterator[tuple[str, str, Any]]:
    """Yield (command, field, value that it must not have)."""
    for name, body in good(UNKNOWN).items():
        for field in body:
            wrong = {
                "sessionId": [5, "x", "", {}, True, UNKNOWN + "0"],
                "clientMsgId": [5, "", "x" * 101, None, [], "a\x00b"],
                "text": [5, None, {}, ["x"]],
                "turnId": [5, "", {}, "x" * 201, "a\x00b"],
                "permId": [5, "", None, "x" * 201, "a\x00b"],
                "optionId": [5, "", None, "x" * 201],
                "mode": [5, "", None, "x" * 201],
                "cursor": ["1", -1, 1.5, True, 2**53, {}],
                "nonce": [5, "", None, "x" * 101, "a\x00b"],
                "sessions": [5, None, "x", {}, [5], [{}], [{"sessionId": "x"}]],
            }[field]
            yield from ((name, field, value) for value in wrong)
    for value in ("x", -1, 1.5, True):
        yield "resume", "sessions", [{"sessionId": UNKNOWN, "cursor": value}]
    for field in ("agent", "mode", "cwd"):
        yield "send", field, 5
        yield "send", field, "a\x00b"


@pytest.mark.parametrize(("name", "field", "value"), list(wrong_values()))
def test_wrong_field_is_400_and_named(alice, wire_of_module, session, name, field, value):
    body = good(session)[name] | {field: value}
    answer = post(alice, name, body, wire_of_module)
    assert refused(answer) == (400, "invalid_request")
    named = answer.json()["fields"]
    assert field in named or {"sessionId", "cursor"} & set(named)


@pytest.mark.parametrize(
    "cwd",
    [
        "~nosuchuser/x",
        "~",
        "x",
        "/" + "x" * 300,
        "/x" * 2000,
        "/root/x/y",
        "/\ud800",
        "/etc/passwd/x",
    ],
)
def test_folder_that_cannot_be_used_is_400(alice, session, cwd):
    body = good(session)["send"] | {"sessionId": None, "cwd": cwd}
    content = json.dumps(body).encode()  # lone surrogates as a client may write them
    answer = alice.post("/api/chat/send", content=content)
    assert refused(answer)[0] == 400
    assert answer.json()["code"] in {"folder_refused", "invalid_request"}


@pytest.fixture(scope="module")
def wire_of_module(server: Server, session: str) -> Iterator[str]:
    """The id of a stream that stays open; nobody reads it."""
    with stream(server.url, server.token("alice"), watch=[session]) as opened:
        yield opened.connection_id


@pytest.mark.parametrize("name", list(good(UNKNOWN)))
def test_missing_and_unknown_fields_are_400_and_named(alice, wire_of_module, session, name):
    body = good(session)[name]
    for field in body:
        if (name, field) in OPTIONAL:
            continue
        answer = post(alice, name, {k: v for k, v in body.items() if k != field}, wire_of_module)
        assert refused(answer) == (400, "invalid_request"), field
        assert field in answer.json()["fields"]
    answer = post(alice, name, body | {"extra": 1}, wire_of_module)
    assert refused(answer) == (400, "invalid_request")
    assert "extra" in answer.json()["fields"]


@pytest.mark.parametrize("name", list(good(UNKNOWN)))
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"5",
        b'"x"',
        b"\xff\xfe",
        b"[" * 50_000,
        b'{"sessionId":"\\ud800"}',
    ],
    ids=["empty", "cut", "null", "list", "number", "text", "bytes", "deep", "surrogate"],
)
def test_body_that_is_no_object_is_400(alice, wire_of_module, name, content):
    headers = {"X-Connection-ID": wire_of_module, "Content-Type": "application/json"}
    answer = alice.post(f"/api/chat/{name}", content=content, headers=headers)
    assert refused(answer) == (400, "invalid_request")


@pytest.mark.parametrize("name", list(good(UNKNOWN)))
def test_oversized_body_is_413(alice, wire_of_module, session, name):
    body = good(session)[name] | {"padding": "x" * 3_000_000}
    answer = post(alice, name, body, wire_of_module)
    assert refused(answer) == (413, "body_too_large")


def test_prompt_over_its_limit_is_413_and_one_of_its_size_is_taken(alice, session):
    body = {"clientMsgId": f"m-{uuid.uuid4()}", "sessionId": session, "text": "é" * 131_073}
    assert refused(post(alice, "send", body)) == (413, "prompt_too_large")
    # As JSON with escapes it is six times as large on the wire.
    body["text"] = "é" * 131_072
    content = json.dumps(body).encode()
    assert len(content) > 700_000
    answer = alice.post("/api/chat/send", content=content)
    assert answer.status_code == 202


@pytest.mark.parametrize("name", [*good(UNKNOWN)])
@pytest.mark.parametrize("whose", ["foreign", "unknown"])
def test_i11_session_of_another_user_is_as_if_it_did_not_exist(
    alice, wire_of_module, server, foreign, name, whose
):
    if name == "probe":
        return
    before = server.data.call("events", session=foreign)
    target = foreign if whose == "foreign" else UNKNOWN
    answer = post(alice, name, good(target)[name], wire_of_module)
    if name in {"suspend", "ack"}:
        assert answer.status_code == 204
    elif name in {"resume", "reconnect"}:
        [told] = answer.json()["sessions"]
        assert told == {"sessionId": target, "head": 0, "gap": 0, "action": "rejected"}
    else:
        assert refused(answer) == (404, "unknown_session")
    assert server.data.call("events", session=foreign) == before
    assert server.data.call("watch", connection=wire_of_module, session=foreign) is None


@pytest.mark.parametrize("name", NEEDS_CONNECTION)
def test_commands_of_a_stream_need_an_open_one_of_the_same_user(
    alice, server, wire_of_module, session, name
):
    body = good(session)[name]
    assert refused(post(alice, name, body)) == (400, "connection_required")
    for unknown in (UNKNOWN, "x", wire_of_module[:-1]):
        assert refused(post(alice, name, body, unknown)) == (404, "unknown_connection")
    with server.client("bob") as bob:
        assert refused(post(bob, name, body, wire_of_module)) == (404, "unknown_connection")


@pytest.mark.parametrize("name", NEEDS_CONNECTION)
def test_connection_that_was_closed_is_unknown(alice, server, session, name):
    with stream(server.url, server.token("alice")) as opened:
        connection = opened.connection_id
    eventually(lambda: not server.data.call("connection", connection=connection)["open"])
    answer = post(alice, name, good(session)[name], connection)
    assert refused(answer) == (404, "unknown_connection")


@pytest.mark.parametrize("name", [*good(UNKNOWN), "nothing-of-this-name", "events"])
def test_nobody_gets_401_and_json(server, session, name):
    answer = httpx.post(f"{server.url}/api/chat/{name}", json=good(session).get(name, {}))
    if name == "nothing-of-this-name":
        assert refused(answer) == (404, "not_found")
    elif name == "events":
        assert refused(answer) == (405, "method_not_allowed")
    else:
        assert refused(answer) == (401, "unauthenticated")


@pytest.mark.parametrize("name", list(good(UNKNOWN)))
def test_wrong_method_is_405_and_json(alice, name):
    answer = alice.get(f"/api/chat/{name}")
    assert refused(answer) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("path", ["/api/", "/api/x", "/api/chat/", "/api/chat/send/", "/api/chat"])
def test_unknown_paths_are_404_and_json(alice, path):
    for method in ("GET", "POST", "PUT", "DELETE"):
        assert refused(alice.request(method, path)) == (404, "not_found")


def test_cookie_login_needs_the_csrf_token_but_a_beacon_does_not(server, session):
    cookies = server.login("alice")
    with httpx.Client(base_url=server.url, cookies=cookies, headers=HEADERS) as browser:
        body = good(session)["send"]
        assert refused(browser.post("/api/chat/send", json=body)) == (403, "csrf_failed")
        headers = {"X-CSRFToken": cookie(cookies, "csrf")}
        assert browser.post("/api/chat/send", json=body, headers=headers).status_code == 202


BEACON_TYPES = [
    "text/plain;charset=UTF-8",
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
]


@pytest.mark.parametrize("kind", BEACON_TYPES)
def test_suspend_is_taken_from_a_beacon(server, session, wire, kind):
    """navigator.sendBeacon has no headers of its own; the browser adds cookies and Origin."""
    said = {
        "connectionId": wire.connection_id,
        "sessions": [{"sessionId": session, "cursor": 1}],
    }
    sent: dict[str, Any] = {"content": json.dumps(said), "headers": {"Content-Type": kind}}
    if "form" in kind:
        sent = {"data": {"body": json.dumps(said)}}
    if "multipart" in kind:
        sent["files"] = {"none": b""}
    origin = {"Origin": server.url}
    with httpx.Client(base_url=server.url, cookies=server.login("alice")) as browser:
        headers = origin | sent.pop("headers", {})
        answer = browser.post("/api/chat/suspend", headers=headers, **sent)
        assert answer.status_code == 204, answer.text
    row = server.data.call("watch", connection=wire.connection_id, session=session)
    assert (row["background"], row["acked"]) == (True, 1)


def test_watch_unwatch_and_switch_change_what_the_stream_carries(server, alice, wire, session):
    second = server.data.call("create_session", name="alice")
    third = server.data.call("create_session", name="alice")

    def carries(name: str) -> None:
        head = server.data.call("append", session=name, count=1)
        wire.wait_for(lambda f: f.data.get("sessionId") == name and f.data.get("seq") == head)

    def snapshot_of(name: str) -> None:
        wire.wait_for(lambda f: f.type == "session_snapshot" and f.data.get("sessionId") == name)

    answer = post(alice, "watch", {"sessionId": second}, wire)
    assert (answer.status_code, answer.json()) == (200, {"ok": True, "head": 1})
    snapshot_of(second)
    carries(second)
    # The stream was opened with one session: that is what it shows.
    assert post(alice, "switch", {"sessionId": third}, wire).json() == {"ok": True}
    snapshot_of(third)
    carries(third)
    carries(second)
    eventually(
        lambda: server.data.call("watch", connection=wire.connection_id, session=session)["done"]
    )
    server.data.call("append", session=session, count=1)
    assert post(alice, "unwatch", {"sessionId": second}, wire).status_code == 200
    assert post(alice, "unwatch", {"sessionId": second}, wire).status_code == 200
    assert post(alice, "switch", {"sessionId": None}, wire).status_code == 200
    eventually(
        lambda: server.data.call("watch", connection=wire.connection_id, session=third)["done"]
    )
    before = len(wire.frames)
    for name in (session, second, third):
        server.data.call("append", session=name, count=1)
    wire.read_for(0.5)
    assert [f for f in wire.frames[before:] if "seq" in f.data] == []


def test_probe_comes_back_over_the_stream(alice, wire):
    answer = post(alice, "probe", {"nonce": "are you there"}, wire)
    assert (answer.status_code, answer.json()) == (202, {"ok": True})
    assert wire.wait_for_type("probe").data["nonce"] == "are you there"


def test_reconnect_tells_what_it_will_do_and_does_it(server, alice, wire):
    made = [server.data.call("create_session", name="alice") for _ in range(3)]
    for name, count in zip(made, (5, 300, 0), strict=True):
        if count:
            server.data.call("append", session=name, count=count)
    places = [{"sessionId": name, "cursor": 1} for name in made]
    answer = post(alice, "reconnect", {"sessions": places}, wire)
    assert answer.status_code == 200
    assert answer.json()["sessions"] == [
        {"sessionId": made[0], "head": 6, "gap": 5, "action": "replay"},
        {"sessionId": made[1], "head": 301, "gap": 300, "action": "skip"},
        {"sessionId": made[2], "head": 1, "gap": 0, "action": "none"},
    ]
    for name in made:
        wire.wait_for(
            lambda f, name=name: f.type == "session_snapshot" and f.data.get("sessionId") == name
        )
    assert wire.seqs(made[0]) == [2, 3, 4, 5, 6]
    assert wire.seqs(made[1]) == wire.seqs(made[2]) == []


def test_too_many_watches_are_409_and_on_opening_too(server, alice, wire):
    made = [server.data.call("create_session", name="alice") for _ in range(5)]
    for name in made[:3]:
        assert post(alice, "watch", {"sessionId": name}, wire).status_code == 200
    answer = post(alice, "watch", {"sessionId": made[3]}, wire)
    assert refused(answer) == (409, "too_many_watches")
    # A prompt is taken all the same: what a stream shows never decides about a receipt.
    body = {"clientMsgId": f"m-{uuid.uuid4()}", "sessionId": made[3], "text": "hello"}
    assert post(alice, "send", body, wire).status_code == 202
    answer = alice.get("/api/chat/events", params={"watch": made})
    assert refused(answer) == (409, "too_many_watches")


def test_send_watches_its_session_on_the_named_stream(server, alice, wire):
    body = {"clientMsgId": f"m-{uuid.uuid4()}", "sessionId": None, "text": "a new one"}
    receipt = post(alice, "send", body, wire).json()
    snapshot = wire.wait_for(
        lambda f: f.type == "session_snapshot" and f.data.get("sessionId") == receipt["sessionId"]
    )
    assert snapshot.data["title"] == "a new one"


def test_i4_one_prompt_posted_twenty_times_at_once_is_in_the_log_once(server, alice, session):
    body = {"clientMsgId": f"m-{uuid.uuid4()}", "sessionId": None, "text": "only once"}
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: post(alice, "send", body), range(20)))
    assert {answer.status_code for answer in answers} == {202}
    receipts = [answer.json() for answer in answers]
    assert len({(r["sessionId"], r["seq"], r["clientMsgId"]) for r in receipts}) == 1
    assert [r["duplicate"] for r in receipts].count(False) == 1
    log = server.data.call("events", session=receipts[0]["sessionId"])
    assert [event["type"] for event in log] == ["session_created", "user_message"]
    other = post(alice, "send", body | {"text": "another"})
    assert refused(other) == (409, "fingerprint_conflict")
    assert other.json()["clientMsgId"] == body["clientMsgId"]
    assert server.data.call("events", session=receipts[0]["sessionId"]) == log


def test_i4_the_receipt_is_the_same_after_a_restart(make_server):
    server = make_server(options=["--no-agents"])
    session = server.data.call("create_session", name="alice")
    body = {"clientMsgId": f"m-{uuid.uuid4()}", "sessionId": session, "text": "before"}
    with server.client("alice") as alice:
        first = post(alice, "send", body).json()
        server.kill()
        server.start()
        again = post(alice, "send", body).json()
        assert again == first | {"duplicate": True}
        other = post(alice, "send", body | {"text": "after"})
    assert refused(other) == (409, "fingerprint_conflict")


def test_i7_interrupt_and_stop_of_an_idle_session_are_202(alice, server):
    session = server.data.call("create_session", name="alice")
    for name in ("interrupt", "stop"):
        answer = post(alice, name, {"sessionId": session})
        assert answer.status_code == 202
        assert answer.json() == {"ok": True, "interrupted": False, "code": "not_running"}


def test_too_many_connections_are_429(make_server):
    server = make_server(environment={"CHAT_MAX_CONNECTIONS_PER_USER": "2"})
    token = server.token("alice")
    with stream(server.url, token) as first, stream(server.url, token) as second:
        assert first.connection_id != second.connection_id
        with server.client("alice") as client:
            answer = client.get("/api/chat/events")
            assert refused(answer) == (429, "too_many_connections")
            with stream(server.url, server.token("bob")) as other:
                other.wait_for_type("welcome")

    def opens_again() -> bool:
        with stream(server.url, token) as again:
            return again.wait_for_status() == 200

    eventually(opens_again)


def test_rate_limit_is_429_with_the_time_to_wait(make_server):
    server = make_server(environment={"CHAT_SENDS_PER_MINUTE": "2"}, options=["--no-agents"])
    with server.client("alice") as client:
        bodies = [{"clientMsgId": f"m-{n}", "sessionId": None, "text": "hello"} for n in range(3)]
        assert [post(client, "send", body).status_code for body in bodies] == [202, 202, 429]
        answer = post(client, "send", bodies[2])
        assert refused(answer) == (429, "rate_limited")
        assert int(answer.headers["retry-after"]) == answer.json()["retryAfter"] > 0
        # A retry of what was admitted is no new prompt.
        assert post(client, "send", bodies[0]).json()["duplicate"] is True


def test_prompts_may_be_larger_than_django_takes_by_itself(make_server):
    server = make_server(environment={"CHAT_MAX_PROMPT_BYTES": "4000000"}, options=["--no-agents"])
    with server.client("alice") as client:
        body = {"clientMsgId": "large", "sessionId": None, "text": "x" * 4_000_000}
        assert post(client, "send", body).status_code == 202
        body = {"clientMsgId": "larger", "sessionId": None, "text": "x" * 4_000_001}
        assert refused(post(client, "send", body)) == (413, "prompt_too_large")


@pytest.mark.parametrize("says_its_length", [True, False])
def test_body_without_end_is_cut_off_before_it_fills_the_disk(server, says_its_length):
    """Nobody knows yet who sends it: the server collects a body before it looks at it."""
    size = 80_000_000
    head = f"Content-Length: {size}" if says_its_length else "Transfer-Encoding: chunked"
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as sock:
        sock.sendall(f"POST /api/chat/send HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n".encode())
        sent = 0
        with suppress(ConnectionError):
            while sent < size:
                sock.sendall(b"" if says_its_length else b"100000\r\n")
                sock.sendall(b"x" * 0x100000)
                sock.sendall(b"" if says_its_length else b"\r\n")
                sent += 0x100000
        assert sent < size
    assert server.memory_mb() < 400
    assert httpx.get(f"{server.url}/healthz").status_code == 200
