"""The plain feed behind a real Pushpin: held there, whole, and ended with the right to read it."""

from collections.abc import Iterator
from contextlib import AbstractContextManager

import pytest

from lab.rig.programs.pushpin import Pushpin
from tests.support.server import Server, eventually
from tests.support.sse import Wire, stream

# Held readers are asked for again every second.
QUICK = {"CHAT_LEASE_S": "3"}


def reading(
    proxy: Pushpin, session: str, token: str, *, after: int
) -> AbstractContextManager[Wire]:
    last = [("Last-Event-ID", f"{session}:{after}")]
    return stream(proxy.url, token, path=f"/events/{session}", headers=last)


def until_seq(wire: Wire, seq: int) -> None:
    wire.wait_for(lambda frame: frame.data.get("seq") == seq, within_s=30)


@pytest.fixture
def proxy() -> Iterator[Pushpin]:
    made = Pushpin()
    yield made
    made.close()


@pytest.fixture
def edge(make_server, proxy: Pushpin) -> Iterator[Server]:
    """A server with a Pushpin before it."""
    server = make_server(environment=QUICK | {"GRIP_URL": proxy.grip_url})
    with proxy.running(server_port=server.port):
        yield server


def test_a_held_reader_gets_every_event_once_and_in_order(edge, proxy):
    with edge.client("alice") as client:
        body = {"clientMsgId": "m", "sessionId": None, "text": "/slow 1"}
        session = client.post("/api/chat/send", json=body).json()["sessionId"]
        with reading(proxy, session, edge.token("alice"), after=1) as wire:
            until_seq(wire, 2)
            body |= {"clientMsgId": "n", "sessionId": session, "text": "/slow 10"}
            assert client.post("/api/chat/send", json=body).status_code == 202
            eventually(lambda: turns_ended(edge, session) == 2, within_s=30)
            head = edge.data.call("session", session=session)["head"]
            until_seq(wire, head)
            assert wire.seqs(session)[: head - 1] == list(range(2, head + 1))


def test_what_was_never_published_comes_when_the_proxy_asks_again(make_server, proxy):
    server = make_server(environment=QUICK | {"GRIP_URL": proxy.grip_url})
    silent = make_server(
        environment={"DATA_DIR": server.environment["DATA_DIR"]},
        options=["--no-agents", "--no-sync"],
    )
    session = server.data.call("create_session", name="alice")
    with (
        proxy.running(server_port=server.port),
        reading(proxy, session, server.token("alice"), after=0) as wire,
    ):
        until_seq(wire, 1)
        head = silent.data.call("append", session=session, count=20)
        until_seq(wire, head)
        assert wire.seqs(session) == list(range(1, head + 1))


def test_i11_a_held_reader_is_let_go_when_its_token_is_deleted(edge, proxy):
    session = edge.data.call("create_session", name="alice")
    with reading(proxy, session, edge.token("alice"), after=0) as wire:
        until_seq(wire, 1)
        edge.data.call("revoke_tokens", name="alice")
        wire.wait_for_end(within_s=30)
        assert wire.frames[-1].type == "stream-error"
        assert wire.frames[-1].data["condition"] == "forbidden"


def turns_ended(server: Server, session: str) -> int:
    return sum(e["type"] == "turn_end" for e in server.data.call("events", session=session))
