"""A reader that stops reading costs nothing, and is caught up when it reads again."""

import threading
import time

from tests.support.server import eventually
from tests.support.sse import Wire, stream

EVENTS = 100_000
# Small enough that the server notices at once that nobody reads.
WINDOW = 16 * 1024


def test_i8_stalled_reader_while_100_000_events_are_appended(make_server):
    server = make_server(options=["--no-agents"])
    session = server.data.call("create_session", name="alice")
    token = server.token("alice")
    quiet = server.data.call("create_session", name="alice")
    with (
        stream(server.url, token, watch=[session], receive_buffer=WINDOW) as stalled,
        stream(server.url, token, watch=[session, quiet]) as other,
    ):
        for wire in (stalled, other):
            wire.wait_for_type("session_snapshot")
        server.data.call("append", session=session, count=3000)
        other.wait_for(lambda frame: frame.data.get("seq") == 3001, within_s=20)
        before = server.memory_mb()
        reading = threading.Thread(target=follow, args=(other, EVENTS + 3001))
        reading.start()
        head = server.data.call("append", session=session, count=EVENTS)
        assert head == EVENTS + 3001
        reading.join(30)
        assert not reading.is_alive(), "the other reader was held up"
        assert server.memory_mb() - before < 20
        assert_whole(other, session, head)
        # The stalled one has received little and reads on now.
        assert stalled.bytes_read < 5_000_000
        follow(stalled, head)
        assert_whole(stalled, session, head)
        skips = [frame.data for frame in stalled.frames if frame.type == "replay_skipped"]
        # By the stream itself, or by periodic sync when that has noticed first.
        assert skips
        assert {skip["reason"] for skip in skips} <= {"slow_reader", "max_replay_gap"}
        # From here on it is a reader like any other.
        server.data.call("append", session=session, count=1)
        stalled.wait_for(lambda frame: frame.data.get("seq") == head + 1)


def follow(wire: Wire, head: int, *, within_s: float = 60.0) -> None:
    """Read until the stream has come to a head, by events or by a snapshot."""
    deadline = time.monotonic() + within_s
    checked = 0
    while time.monotonic() < deadline:
        for frame in wire.frames[checked:]:
            if max(frame.data.get("seq", 0), frame.data.get("cursor", 0)) >= head:
                return
        checked = len(wire.frames)
        wire.read(1)
    raise AssertionError(f"the stream did not come to {head} within {within_s} s")


def assert_whole(wire: Wire, session: str, head: int) -> None:
    """I3: ascending, and nothing left out but what was announced."""
    cursor = 1
    for frame in wire.frames:
        if frame.data.get("sessionId") != session:
            continue
        if frame.type == "replay_skipped":
            assert frame.data["from"] == cursor + 1
            cursor = frame.data["to"]
        elif "seq" in frame.data:
            assert frame.data["seq"] == cursor + 1
            cursor += 1
    assert cursor == head


def test_feed_whose_reader_never_reads_again_is_disconnected(make_server):
    server = make_server(
        options=["--no-agents"],
        environment={"CHAT_STALL_LIMIT_S": "5", "CHAT_LEASE_S": "6", "LOG_LEVEL": "INFO"},
    )
    session = server.data.call("create_session", name="alice")
    token = server.token("alice")
    place = {"path": f"/events/{session}", "headers": [("Last-Event-ID", f"{session}:0")]}
    with (
        stream(server.url, token, **place, receive_buffer=WINDOW) as stalled,
        stream(server.url, token, **place) as other,
    ):
        for wire in (stalled, other):
            wire.wait_for(lambda frame: frame.data.get("seq") == 1)
        reading = threading.Thread(target=follow, args=(other, 201))
        reading.start()
        server.data.call("append", session=session, count=200, text="x" * 50_000, batch=20)
        reading.join(60)
        eventually(lambda: "a stalled reader was disconnected" in server.log(), within_s=60)
        stalled.wait_for_end(within_s=30)
        # What it has got has no hole: it goes on from there when it comes back.
        seqs = stalled.seqs(session)
        assert seqs == list(range(1, len(seqs) + 1))
        assert len(seqs) < 201
        assert other.seqs(session) == list(range(1, 202))


def test_reader_that_never_reads_again_is_disconnected(make_server):
    server = make_server(
        options=["--no-agents"],
        environment={"CHAT_STALL_LIMIT_S": "0.5", "CHAT_LEASE_S": "0.9"},
    )
    session = server.data.call("create_session", name="alice")
    token = server.token("alice")
    with (
        stream(server.url, token, watch=[session], receive_buffer=WINDOW) as stalled,
        stream(server.url, token, watch=[session]) as other,
    ):
        for wire in (stalled, other):
            wire.wait_for_type("session_snapshot")
        connection = stalled.connection_id
        # One batch after the other: of all at once, more than is kept for a reader who is behind,
        # one small snapshot might be left, and that fits into the buffers of the connection.
        for _ in range(10):
            head = server.data.call("append", session=session, count=20, text="x" * 50_000)
            follow(other, head)
        assert head == 201
        eventually(
            lambda: not server.data.call("connection", connection=connection)["open"],
            within_s=15,
        )
        assert_whole(other, session, 201)
        assert server.data.call("connection", connection=other.connection_id)["open"]
        eventually(lambda: server.data.call("session", session=session)["foreground"] == 1)
