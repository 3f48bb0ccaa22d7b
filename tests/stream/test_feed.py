"""The plain feed: django-eventstream's words over our log."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import quote

import httpx
import jwt
import pytest
from httpx_sse import EventSource, ServerSentEvent, connect_sse

from tests.support.server import Server, eventually

KEY = "a-key-that-is-long-enough-for-hs256-signatures"


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("server"), options=["--no-agents"])
    try:
        yield running.start()
    finally:
        running.close()


@pytest.fixture
def session(server: Server) -> str:
    return str(server.data.call("create_session", name="alice"))


@pytest.fixture(scope="module")
def alice(server: Server) -> Iterator[httpx.Client]:
    with server.client("alice") as client:
        yield client


class Reader:
    """An open feed; httpx lets its body be read once, so there is one iterator."""

    def __init__(self, source: EventSource) -> None:
        self.response = source.response
        self._events = source.iter_sse()

    def take(self, count: int) -> list[ServerSentEvent]:
        return [next(self._events) for _ in range(count)]


@contextmanager
def feed(client: httpx.Client, session: str, last: int | None = None, **params: Any):
    headers = {} if last is None else {"Last-Event-ID": f"{session}:{last}"}
    path = f"/events/{session}"
    with connect_sse(client, "GET", path, headers=headers, params=params) as source:
        yield Reader(source)


def test_new_reader_begins_at_the_head_and_gets_what_comes(server, alice, session):
    server.data.call("append", session=session, count=5)
    with feed(alice, session) as source:
        [opened] = source.take(1)
        assert opened.event == "stream-open"
        assert source.response.headers["content-type"].startswith("text/event-stream")
        server.data.call("append", session=session, count=1)
        [first] = source.take(1)
        assert first.event == "message"
        assert first.id == f"{session}:7"
        assert json.loads(first.data)["seq"] == 7


def test_reader_goes_on_after_its_last_event_however_long_ago(server, alice, session):
    """No page of a replay is sent twice, and nothing is left out."""
    head = server.data.call("append", session=session, count=450)
    with feed(alice, session, last=1) as source:
        events = source.take(head)
        assert events[0].event == "stream-open"
        seqs = [int(event.id.rsplit(":", 1)[1]) for event in events[1:]]
        assert seqs == list(range(2, head + 1))
        server.data.call("append", session=session, count=300, batch=3)
        later = source.take(300)
        seqs = [int(event.id.rsplit(":", 1)[1]) for event in later]
        assert seqs == list(range(head + 1, head + 301))


def test_reader_from_the_start_by_query(server, alice, session):
    with feed(alice, session, lastEventId=f"{session}:0") as source:
        _, created = source.take(2)
        assert json.loads(created.data)["type"] == "session_created"


@pytest.mark.parametrize("last", [99, 5])
def test_reader_that_cannot_go_on_is_told_to_begin_anew(server, alice, session, last):
    head = server.data.call("append", session=session, count=20)
    server.data.call("prune", session=session, upto=10)
    with feed(alice, session, last=last) as source:
        _, reset = source.take(2)
        assert reset.event == "stream-reset"
        assert json.loads(reset.data) == {"channels": [session]}
        assert reset.id == f"{session}:{head}"
        server.data.call("append", session=session, count=1)
        [following] = source.take(1)
        assert following.id == f"{session}:{head + 1}"


@pytest.mark.parametrize("last", ["x", "{session}:x", "{session}:-1", "{session}:1.5", "a:b:c"])
def test_malformed_last_event_id_is_400(alice, session, last):
    headers = {"Last-Event-ID": last.format(session=session)}
    answer = alice.get(f"/events/{session}", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


def test_i11_feed_is_for_its_owner_alone(server, alice, session):
    assert httpx.get(f"{server.url}/events/{session}").status_code == 401
    foreign = server.data.call("create_session", name="bob")
    for name in (foreign, "00000000-0000-4000-8000-000000000000", "x", ""):
        answer = alice.get(f"/events/{name}")
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_session")
    assert alice.post(f"/events/{session}").status_code == 405


def test_feeds_of_one_user_are_limited(make_server):
    server = make_server(environment={"CHAT_MAX_CONNECTIONS_PER_USER": "1"})
    session = server.data.call("create_session", name="alice")
    with server.client("alice") as client:
        with feed(client, session) as source:
            source.take(1)
            assert client.get(f"/events/{session}").status_code == 429
        eventually(lambda: opens(client, session))


def opens(client: httpx.Client, session: str) -> bool:
    with feed(client, session) as source:
        return source.response.status_code == 200


class Control:
    """The control port of a GRIP proxy: it keeps what is published."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        control = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                control.items += json.loads(self.rfile.read(length))["items"]
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}?iss=test&key={KEY}"
        self._thread = Thread(target=self.http.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.http.shutdown()
        self._thread.join()
        self.http.server_close()


@pytest.fixture
def control() -> Iterator[Control]:
    made = Control()
    yield made
    made.close()


def test_grip_proxy_holds_readers_and_gets_every_event(make_server, control):
    server = make_server(environment={"GRIP_URL": control.url}, options=["--no-agents"])
    signature = {"Grip-Sig": jwt.encode({"iss": "test", "exp": 2**33}, KEY, algorithm="HS256")}
    with server.client("alice") as client:
        body = {"clientMsgId": "m", "sessionId": None, "text": "for many"}
        receipt = client.post("/api/chat/send", json=body).json()
        session = receipt["sessionId"]
        items = eventually(lambda: len(control.items) >= 2 and control.items)
        channel = f"events-{quote(session)}"
        assert [(item["channel"], item["id"], item["prev-id"]) for item in items[:2]] == [
            (channel, "1", "0"),
            (channel, "2", "1"),
        ]
        assert "for many" in json.dumps(items[1])
        last = {"Last-Event-ID": f"{session}:1"}
        held = client.get(f"/events/{session}", headers=signature | last)
        assert held.status_code == 200
        assert held.headers["grip-hold"] == "stream"
        assert channel in held.headers["grip-channel"]
        assert "for many" in held.text
        forged = {"Grip-Sig": jwt.encode({"iss": "test"}, KEY + "x", algorithm="HS256")}
        assert client.get(f"/events/{session}", headers=forged).status_code == 404
        foreign = server.data.call("create_session", name="bob")
        assert client.get(f"/events/{foreign}", headers=signature).status_code == 404
    assert httpx.get(f"{server.url}/events/{session}", headers=signature).status_code == 401


def test_i11_grip_proxy_asks_again_for_a_reader_without_its_credentials(make_server, control):
    """So Pushpin does: of the reader's request it keeps nothing but the address it is given."""
    server = make_server(environment={"GRIP_URL": control.url}, options=["--no-agents"])
    signature = {"Grip-Sig": jwt.encode({"iss": "test", "exp": 2**33}, KEY, algorithm="HS256")}
    session = server.data.call("create_session", name="alice")
    last = f"events-{session}; last-id=1"
    with server.client("alice") as reader, httpx.Client(base_url=server.url) as proxy:
        held = reader.get(f"/events/{session}", headers=signature)
        server.data.call("append", session=session, count=2)
        for _ in range(2):
            link, timeout = next_link(held)
            assert 0 < timeout <= 60
            held = proxy.get(link, headers=signature | {"Grip-Last": last})
            assert held.headers["grip-hold"] == "stream"
            assert f"{session}:3" in held.text
        link, _ = next_link(held)
        foreign = server.data.call("create_session", name="bob")
        forged = link.replace("right=", "right=x")
        for refused in (link.replace(session, foreign), forged, f"/events/{session}"):
            assert proxy.get(refused, headers=signature).status_code == 401
        assert proxy.get(link).status_code == 401
        server.data.call("revoke_tokens", name="alice")
        ended = proxy.get(link, headers=signature)
        # A proxy tries again after an error; this is an answer, and holds nobody.
        assert ended.status_code == 200
        assert "grip-hold" not in ended.headers
        assert "forbidden" in ended.text


def next_link(response: httpx.Response) -> tuple[str, int]:
    address, _, parameters = response.headers["grip-link"].partition(">; rel=next; timeout=")
    return address.removeprefix("<"), int(parameters)
