"""The catch-up table, counted on the wire of a real server."""

from collections.abc import Iterator

import pytest

from tests.support.server import Server, eventually
from tests.support.sse import Frame, Wire, stream

# The session's first event; the tests append behind it.
BEGUN = 1


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("server"))
    try:
        yield running.start()
    finally:
        running.close()


@pytest.fixture
def session(server: Server) -> str:
    return str(server.data.call("create_session", name="alice"))


@pytest.fixture(scope="module")
def shared(server: Server) -> tuple[Server, str, str]:
    session = server.data.call("create_session", name="alice")
    return server, session, server.token("alice")


def caught_up(wire: Wire) -> Frame:
    return wire.wait_for_type("session_snapshot")


def frames_of(wire: Wire, session: str) -> list[Frame]:
    return [frame for frame in wire.frames if frame.data.get("sessionId") == session]


def test_stream_begins_with_welcome_and_the_headers_that_proxies_need(server, session):
    with stream(server.url, server.token("alice"), watch=[session]) as wire:
        snapshot = caught_up(wire)
        assert wire.status == 200
        assert wire.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert wire.headers["cache-control"] == "no-store"
        assert wire.headers["x-accel-buffering"] == "no"
        welcome = wire.frames[0]
        assert welcome.event == "welcome"
        assert welcome.data["protocol"] == 1
        assert welcome.data["heartbeatMs"] == 15000
        assert welcome.data["maxReplayGap"] == 200
        assert welcome.data["spreadMs"] == 0
        assert snapshot.id is None
        assert snapshot.data["full"] is True
        assert snapshot.data["cursor"] == BEGUN


@pytest.mark.parametrize("gap", [1, 199, 200])
def test_i5_gap_up_to_the_limit_is_replayed_event_by_event(server, session, gap):
    head = server.data.call("append", session=session, count=gap)
    with stream(server.url, server.token("alice"), watch=[f"{session}:{BEGUN}"]) as wire:
        snapshot = caught_up(wire)
        assert wire.seqs(session) == list(range(BEGUN + 1, head + 1))
        assert snapshot.data["full"] is False
        assert snapshot.data["messages"] == []
        assert snapshot.data["cursor"] == head
        assert [frame.id for frame in frames_of(wire, session) if frame.id] == [
            f"{session}:{seq}" for seq in range(BEGUN + 1, head + 1)
        ]


@pytest.mark.parametrize("gap", [201, 6000])
def test_i5_gap_over_the_limit_costs_one_snapshot_and_says_what_was_skipped(server, session, gap):
    head = server.data.call("append", session=session, count=gap)
    with stream(server.url, server.token("alice"), watch=[f"{session}:{BEGUN}"]) as wire:
        snapshot = caught_up(wire)
        skipped, sent = frames_of(wire, session)
        assert skipped.type == "replay_skipped"
        assert (skipped.data["from"], skipped.data["to"]) == (BEGUN + 1, head)
        assert skipped.data["reason"] == "max_replay_gap"
        assert sent is snapshot
        assert snapshot.data["full"] is True
        assert snapshot.data["cursor"] == head
        # The next live event comes at once, behind the boundary.
        server.data.call("append", session=session, count=1)
        # Sooner than the next round of periodic sync could bring it.
        live = wire.wait_for(lambda frame: frame.data.get("seq") == head + 1, within_s=4)
        assert live.id == f"{session}:{head + 1}"


def test_gap_0_gets_a_snapshot_and_no_event(server, session):
    head = server.data.call("append", session=session, count=5)
    with stream(server.url, server.token("alice"), watch=[f"{session}:{head}"]) as wire:
        snapshot = caught_up(wire)
        assert frames_of(wire, session) == [snapshot]
        assert snapshot.data["cursor"] == head


def test_cursor_beyond_the_head_makes_the_client_drop_what_it_holds(server, session):
    with stream(server.url, server.token("alice"), watch=[f"{session}:99"]) as wire:
        snapshot = caught_up(wire)
        assert snapshot.data["cursorInvalid"] is True
        assert snapshot.data["full"] is True
        assert snapshot.data["cursor"] == BEGUN
        server.data.call("append", session=session, count=1)
        wire.wait_for(lambda frame: frame.data.get("seq") == BEGUN + 1)


def test_partly_pruned_range_is_skipped_with_its_reason(server, session):
    head = server.data.call("append", session=session, count=50)
    server.data.call("prune", session=session, upto=20)
    token = server.token("alice")
    with stream(server.url, token, watch=[f"{session}:19"]) as wire:
        caught_up(wire)
        skipped = wire.wait_for_type("replay_skipped")
        assert skipped.data["reason"] == "pruned"
        assert (skipped.data["from"], skipped.data["to"]) == (20, head)
    with stream(server.url, token, watch=[f"{session}:20"]) as wire:
        caught_up(wire)
        assert wire.seqs(session) == list(range(21, head + 1))


def test_last_event_id_overrides_the_cursor_of_its_session(server, session):
    head = server.data.call("append", session=session, count=10)
    resumed = [("Last-Event-ID", f"{session}:8")]
    with stream(server.url, server.token("alice"), watch=[f"{session}:2"], headers=resumed) as wire:
        caught_up(wire)
        assert wire.seqs(session) == list(range(9, head + 1))


def covered(wire: Wire, session: str) -> set[int]:
    """Return every seq that was delivered or announced as skipped."""
    skips = [frame.data for frame in wire.frames if frame.type == "replay_skipped"]
    announced = {seq for skip in skips for seq in range(skip["from"], skip["to"] + 1)}
    return announced | set(wire.seqs(session))


@pytest.mark.parametrize("round_", range(6))
def test_i3_events_appended_during_catch_up_follow_without_hole_or_repeat(shared, round_):
    """A stream opens while another process appends as fast as it can."""
    server, session, token = shared
    start = server.data.call("append", session=session, count=150) - 120
    with stream(server.url, token, watch=[f"{session}:{start}"]) as wire:
        if round_ % 2:
            wire.wait_for_type("welcome")
        head = server.data.call("append", session=session, count=300, batch=7)
        wire.wait_for(lambda _: head in covered(wire, session))
        received = wire.seqs(session)
        assert received == sorted(set(received))
        assert covered(wire, session) == set(range(start + 1, head + 1))


def test_unknown_foreign_and_malformed_sessions_are_rejected_without_stopping_others(
    server, session
):
    foreign = server.data.call("create_session", name="bob")
    unknown = "00000000-0000-4000-8000-000000000000"
    watched = [foreign, unknown, "nonsense", session]
    with stream(server.url, server.token("alice"), watch=watched) as wire:
        caught_up(wire)
        rejected = [frame.data for frame in wire.frames if frame.type == "watch_rejected"]
        assert {item["sessionId"] for item in rejected} == {foreign, unknown, "nonsense"}
        assert {item["code"] for item in rejected} == {"unknown_session"}
        server.data.call("append", session=foreign, count=3)
        server.data.call("append", session=session, count=1)
        wire.wait_for(lambda frame: frame.data.get("seq") == BEGUN + 1)
        assert wire.seqs(foreign) == []


@pytest.mark.parametrize("cursor", ["x", "-1", "1.5", "", "99999999999999999999", "\u0661"])
def test_malformed_cursor_is_400(server, session, cursor):
    with server.client("alice") as client:
        answer = client.get("/api/chat/events", params={"watch": f"{session}:{cursor}"})
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid_request"
    assert "watch" in answer.json()["fields"]


def test_watch_rows_tell_what_was_replayed_and_skipped(server, session):
    head = server.data.call("append", session=session, count=500)
    with stream(server.url, server.token("alice"), watch=[f"{session}:{head - 7}"]) as wire:
        caught_up(wire)

        def flushed():
            row = server.data.call("watch", connection=wire.connection_id, session=session)
            return row if row["sent"] == head else None

        row = eventually(flushed)
        assert (row["replayed"], row["skipped"], row["open"]) == (7, 0, True)
        assert row["decision"] == "replayed 7"
