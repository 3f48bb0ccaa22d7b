"""What the owner of a stream does with the orders that other processes leave in its rows."""

import signal
from typing import Any

import httpx
import pytest

from tests.support.server import Server, eventually
from tests.support.sse import Frame, Wire, stream


@pytest.fixture
def web(make_server):
    """A web process: no agents and no rounds of its own."""
    return make_server(
        options=["--no-agents", "--no-sync"],
        environment={"CHAT_TAIL_INTERVAL_S": "0.2"},
    )


@pytest.fixture
def deaf(make_server):
    """A web process that looks for nothing by itself: neither heads nor orders of others.

    There is no layer either, so nobody tells it of commits. A probe makes it take the orders that
    wait for the stream, and those of periodic sync with them.
    """
    return make_server(
        options=["--no-agents", "--no-sync"], environment={"CHAT_TAIL_INTERVAL_S": "3600"}
    )


def test_two_copies_one_works_and_the_other_takes_over(web):
    """The first is killed with -9; the second must not wait for its lease."""
    command = ("periodic_sync", "--interval", "0.1")

    def holder() -> str:
        return str(web.data.call("sync_holder"))

    with web.beside(*command) as first:
        eventually(lambda: f":{first.pid}:" in holder(), within_s=30, what="the first copy's lock")
        with web.beside(*command) as second:
            first.kill()
            eventually(lambda: f":{second.pid}:" in holder(), within_s=30, what="the take-over")
            assert second.end(signal.SIGTERM) == 0
            assert holder() == ""


def test_serve_syncs_by_itself_and_repeats_nothing(make_server):
    server = make_server(environment={"CHAT_SYNC_INTERVAL_S": "0.2"})
    session = server.data.call("create_session", name="alice")
    eventually(lambda: server.data.call("sync_holder"), what="the lock")
    with stream(server.url, server.token("alice"), watch=[session]) as wire:
        wire.wait_for_type("session_snapshot")
        for _ in range(5):
            head = server.data.call("append", session=session, count=60, batch=20)
            wire.wait_for(lambda frame, head=head: frame.data.get("seq") == head)
            wire.read_for(0.3)
        assert wire.seqs(session) == list(range(2, head + 1))
        assert [f.type for f in wire.frames if f.type == "replay_skipped"] == []


def test_a_stream_repeats_nothing_that_a_round_elsewhere_orders_by_its_old_row(make_server):
    """The server's own rounds ask the stream for its cursor; another process has its row alone."""
    server = make_server(options=["--no-sync"])
    session = server.data.call("create_session", name="alice")
    decided = []
    with stream(server.url, server.token("alice"), watch=[session]) as wire:
        wire.wait_for_type("session_snapshot")

        def row_at(head: int) -> dict | None:
            row = server.data.call("watch", connection=wire.connection_id, session=session)
            return row if row["sent"] == head and row["done"] else None

        eventually(lambda: row_at(1))
        for _ in range(5):
            head = server.data.call("append", session=session, count=60)
            wire.wait_for(lambda frame, head=head: frame.data.get("seq") == head)
            # The row hears of it up to a second later: this round sees an old cursor.
            decided += server.data.call("sync_round")
        row = eventually(lambda: row_at(head))
        assert "replay" in decided
        assert wire.seqs(session) == list(range(2, head + 1))
        assert (row["replayed"], row["skipped"]) == (0, 0)


def test_order_for_a_stream_of_another_process_is_carried_out_by_its_owner(web, make_server):
    """Two web processes on one database, no Redis: a command lands where the stream is not."""
    first = web
    second = make_server(
        options=["--no-agents", "--no-sync"],
        environment={"DATA_DIR": first.environment["DATA_DIR"]},
    )
    session = first.data.call("create_session", name="alice")
    other = first.data.call("create_session", name="alice")
    with (
        stream(first.url, first.token("alice"), watch=[session]) as wire,
        second.client("alice", headers={"X-Connection-ID": wire.connection_id}) as client,
    ):
        wire.wait_for_type("session_snapshot")
        answer = client.post("/api/chat/watch", json={"sessionId": other})
        assert answer.status_code == 200
        wire.wait_for(lambda f: f.type == "session_snapshot" and f.data.get("sessionId") == other)
        assert client.post("/api/chat/probe", json={"nonce": "far"}).status_code == 202
        assert wire.wait_for_type("probe").data["nonce"] == "far"
        places = {"sessions": [{"sessionId": session, "cursor": 0}]}
        assert client.post("/api/chat/reconnect", json=places).status_code == 200
        wire.wait_for(lambda f: f.data.get("sessionId") == session and f.data.get("seq") == 1)
        # A commit of the other process reaches the stream by the tail.
        body = {"clientMsgId": "m", "sessionId": session, "text": "from afar"}
        receipt = client.post("/api/chat/send", json=body).json()
        wire.wait_for(lambda f: f.data.get("seq") == receipt["seq"])
        assert client.post("/api/chat/unwatch", json={"sessionId": other}).status_code == 200
        eventually(
            lambda: first.data.call("watch", connection=wire.connection_id, session=other)["done"]
        )
        first.data.call("append", session=other, count=1)
        wire.read_for(0.5)
        assert wire.seqs(other) == []


def test_resync_of_the_admin_brings_what_is_missing_or_a_snapshot(web):
    session = web.data.call("create_session", name="alice")
    with stream(web.url, web.token("alice"), watch=[session]) as wire:
        wire.wait_for_type("session_snapshot")
        before = len(wire.frames)
        assert web.data.call("resync", connection=wire.connection_id) == 1
        wire.wait_for(lambda f: f.type == "session_snapshot" and f in wire.frames[before:])
        # Marks of the person come whenever they are read, those of the opening perhaps late.
        [resynced] = [f for f in wire.frames[before:] if f.type != "personal_changed"]
        assert (resynced.type, resynced.data["full"], resynced.data["cursor"]) == (
            "session_snapshot",
            True,
            1,
        )


class Rescued:
    """A stream of a deaf process, which hears of events by rounds of periodic sync alone."""

    def __init__(self, server: Server, wire: Wire, client: httpx.Client, session: str) -> None:
        self.server = server
        self.wire = wire
        self.client = client
        self.session = session
        self._nonces = 0

    def append(self, count: int) -> int:
        return int(self.server.data.call("append", session=self.session, count=count))

    def round(self) -> list[str]:
        return list(self.server.data.call("sync_round"))

    def sent(self) -> list[Frame]:
        """Return the frames that came when the process has taken its orders, and has no more."""
        before = len(self.wire.frames)
        self._probe()
        eventually(self._is_done, within_s=30, what="the order")
        # Nothing comes behind it by itself: what this nonce overtakes would have come before.
        self._probe()
        new = self.wire.frames[before:]
        return [frame for frame in new if frame.data.get("sessionId") == self.session]

    def row(self) -> dict[str, Any]:
        names = {"connection": self.wire.connection_id, "session": self.session}
        return dict(self.server.data.call("watch", **names))

    def _is_done(self) -> bool:
        self.wire.read(0.01)
        row = self.row()
        return bool(row["done"] and row["sent"] == max([1, *self._cursors()]))

    def _cursors(self) -> list[int]:
        return [f.data.get("seq") or f.data.get("cursor") or 0 for f in self.wire.frames]

    def _probe(self) -> None:
        self._nonces += 1
        nonce = f"nonce {self._nonces}"
        assert self.client.post("/api/chat/probe", json={"nonce": nonce}).status_code == 202
        self.wire.wait_for(lambda frame: frame.data.get("nonce") == nonce, within_s=30)


@pytest.fixture
def rescued(deaf):
    session = deaf.data.call("create_session", name="alice")
    deaf.data.call("set_state", session=session, state="ACTIVE")
    with (
        stream(deaf.url, deaf.token("alice"), watch=[session]) as wire,
        deaf.client("alice", headers={"X-Connection-ID": wire.connection_id}) as client,
    ):
        wire.wait_for_type("session_snapshot")
        made = Rescued(deaf, wire, client, session)
        eventually(lambda: made.row()["sent"] == 1, within_s=30, what="the first cursor")
        yield made


def seqs(frames: list[Frame]) -> list[int]:
    return [frame.data["seq"] for frame in frames if "seq" in frame.data]


def test_i6_rounds_bring_a_stream_that_is_behind_to_the_head_batch_by_batch(rescued):
    assert rescued.append(120) == 121
    assert rescued.sent() == []  # it has heard of nothing
    for first, last in ((2, 51), (52, 101), (102, 121)):
        assert rescued.round() == ["replay"]
        frames = rescued.sent()
        assert seqs(frames) == list(range(first, last + 1))
        assert rescued.row()["decision"] == f"replayed {last - first + 1}"
    # The last batch ends at the head, and so in the state that the client should be in.
    assert (frames[-1].type, frames[-1].data["full"]) == ("session_snapshot", False)
    assert rescued.round() == ["up to date"]
    assert rescued.sent() == []
    assert rescued.row()["round"] == "up to date"


def test_i5_a_round_skips_what_is_too_much_and_says_so(rescued):
    assert rescued.append(300) == 301
    assert rescued.round() == ["skip"]
    skipped, shown = rescued.sent()
    assert (skipped.type, skipped.data["from"], skipped.data["to"]) == ("replay_skipped", 2, 301)
    assert (shown.type, shown.data["cursor"], shown.data["full"]) == ("session_snapshot", 301, True)
    assert rescued.round() == ["up to date"]


def test_resync_of_the_admin_brings_all_that_a_stream_is_behind(rescued):
    rescued.append(30)
    names = {"connection": rescued.wire.connection_id}
    assert rescued.server.data.call("resync", **names) == 1
    *events, shown = rescued.sent()
    assert seqs(events) == list(range(2, 32))
    assert (shown.type, shown.data["cursor"], shown.data["full"]) == ("session_snapshot", 31, False)
