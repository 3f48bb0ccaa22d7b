"""What the owner of a stream does with the orders that other processes leave in its rows."""

import signal
import subprocess
import sys

import pytest

from tests.support.server import ROOT, eventually
from tests.support.sse import stream


@pytest.fixture
def slow_tail(make_server):
    """A server that hears of other processes' commits only by periodic sync."""
    return make_server(
        options=["--no-agents", "--no-sync"],
        environment={"CHAT_TAIL_INTERVAL_S": "0.2"},
    )


def test_two_copies_one_works_and_the_other_takes_over(slow_tail):
    """The first is killed with -9; the second must not wait for its lease."""
    command = [sys.executable, "manage.py", "periodic_sync", "--interval", "0.1"]

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, cwd=ROOT, env=slow_tail._environment)

    def holder() -> str:
        return str(slow_tail.data.call("sync_holder"))

    first = start()
    eventually(lambda: f":{first.pid}:" in holder(), what="the first copy's lock")
    second = start()
    try:
        first.send_signal(signal.SIGKILL)
        first.wait()
        eventually(lambda: f":{second.pid}:" in holder(), what="the take-over")
        second.terminate()
        assert second.wait(10) == 0
        assert holder() == ""
    finally:
        if second.poll() is None:
            second.kill()
            second.wait()


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


def test_sync_lets_a_stream_alone_that_is_ahead_of_its_row(make_server):
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


def test_order_for_a_stream_of_another_process_is_carried_out_by_its_owner(slow_tail, make_server):
    """Two web processes on one database, no Redis: a command lands where the stream is not."""
    first = slow_tail
    second = make_server(
        options=["--no-agents", "--no-sync"],
        environment={"DATA_DIR": first._environment["DATA_DIR"]},
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


def test_resync_of_the_admin_brings_what_is_missing_or_a_snapshot(slow_tail):
    session = slow_tail.data.call("create_session", name="alice")
    with stream(slow_tail.url, slow_tail.token("alice"), watch=[session]) as wire:
        wire.wait_for_type("session_snapshot")
        before = len(wire.frames)
        assert slow_tail.data.call("resync", connection=wire.connection_id) == 1
        eventually(lambda: wire.read_for(0.1) or len(wire.frames) > before)
        [resynced] = wire.frames[before:]
        assert (resynced.type, resynced.data["full"], resynced.data["cursor"]) == (
            "session_snapshot",
            True,
            1,
        )
