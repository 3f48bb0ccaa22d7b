"""The production set-up: PostgreSQL, Redis, two web processes, a runner and periodic sync."""

from contextlib import ExitStack

import psutil
import psycopg
import pytest

from tests.support.server import eventually
from tests.support.sse import Wire, stream

WEB = ["--no-agents", "--no-sync"]
# So long that nothing in these tests can come by the tail: Redis must have brought it.
NO_TAIL = {"CHAT_TAIL_INTERVAL_S": "60"}


@pytest.fixture
def production(postgres_url, redis_url) -> dict[str, str]:
    # Every test has a database of its own; the channels of one Redis are told apart by session.
    return {"DATABASE_URL": postgres_url, "REDIS_URL": redis_url}


def test_prompt_to_one_process_answered_by_another_seen_at_a_third(make_server, production):
    first = make_server(environment=production | NO_TAIL, options=WEB)
    second = make_server(
        environment=production | NO_TAIL | {"DATA_DIR": first.environment["DATA_DIR"]},
        options=WEB,
    )
    token = first.token("alice")
    with first.beside("run_agents"), second.client("alice") as client:
        body = {"clientMsgId": "m1", "sessionId": None, "text": "/slow 1", "agent": "demo"}
        session = client.post("/api/chat/send", json=body).json()["sessionId"]
        with stream(first.url, token, watch=[f"{session}:0"]) as wire:
            wire.wait_for_type("turn_end", within_s=30)
            # From now on everybody knows everybody: the next answer comes at once, word by word.
            body |= {"clientMsgId": "m2", "sessionId": session, "text": "/slow 10", "agent": None}
            receipt = client.post("/api/chat/send", json=body).json()
            wire.wait_for(lambda f: f.data.get("seq") == receipt["seq"])
            wire.wait_for(
                lambda f: f.type == "block_delta" and f.data["seq"] > receipt["seq"], within_s=20
            )
            end = wire.wait_for(
                lambda f: f.type == "turn_end" and f.data["seq"] > receipt["seq"], within_s=30
            )
            log = first.data.call("events", session=session)
            assert wire.seqs(session) == [e["seq"] for e in log if e["seq"] <= end.data["seq"]]
            answer = client.post("/api/chat/interrupt", json={"sessionId": session})
            assert answer.json() == {"ok": True, "interrupted": False, "code": "not_running"}


def test_commands_reach_a_stream_of_another_process_at_once(make_server, production):
    first = make_server(environment=production | NO_TAIL, options=WEB)
    second = make_server(
        environment=production | NO_TAIL | {"DATA_DIR": first.environment["DATA_DIR"]},
        options=WEB,
    )
    session = first.data.call("create_session", name="alice")
    with (
        stream(first.url, first.token("alice")) as wire,
        second.client("alice", headers={"X-Connection-ID": wire.connection_id}) as client,
    ):
        for nonce in ("one", "two", "three"):
            assert client.post("/api/chat/probe", json={"nonce": nonce}).status_code == 202
            wire.wait_for(lambda f, nonce=nonce: f.data.get("nonce") == nonce)
        assert client.post("/api/chat/watch", json={"sessionId": session}).status_code == 200
        assert wire.wait_for_type("session_snapshot").data["sessionId"] == session
        draft = client.put(f"/api/sessions/{session}/draft", json={"text": "half a prompt"})
        assert draft.status_code == 200
        news = wire.wait_for_type("personal_changed").data["personal"]
        assert (news["sessionId"], news["draft"]) == (session, "half a prompt")


def test_lost_redis_costs_time_and_no_event(make_server, postgres_url):
    """REDIS_URL names a port where nobody listens: the tail does it all."""
    environment = {"DATABASE_URL": postgres_url, "REDIS_URL": "redis://127.0.0.1:9/0"}
    server = make_server(environment=environment)
    with server.client("alice") as client:
        body = {"clientMsgId": "m1", "sessionId": None, "text": "/slow 2", "agent": "demo"}
        session = client.post("/api/chat/send", json=body).json()["sessionId"]
        with stream(server.url, server.token("alice"), watch=[f"{session}:0"]) as wire:
            wire.wait_for_type("turn_end", within_s=30)
            assert wire.seqs(session) == list(range(1, wire.seqs(session)[-1] + 1))
            appended = server.data.call("append", session=session, count=20)
            wire.wait_for(lambda f: f.data.get("seq") == appended)


def test_idle_streams_hold_neither_threads_nor_database_connections(make_server, production):
    server = make_server(
        environment=production
        | {"CHAT_MAX_CONNECTIONS_PER_USER": "100", "CHAT_STREAMS_PER_MINUTE": "0"},
        options=WEB,
    )
    session = server.data.call("create_session", name="alice")
    token = server.token("alice")
    process = psutil.Process(server.pid)
    with ExitStack() as stack:

        def open_streams(count: int) -> list[Wire]:
            opened = [
                stack.enter_context(stream(server.url, token, watch=[session]))
                for _ in range(count)
            ]
            for wire in opened:
                wire.wait_for_type("session_snapshot")
            return opened

        # The pools of threads fill up with the first ones.
        wires = open_streams(20)
        before = process.num_threads()
        wires += open_streams(60)
        assert process.num_threads() - before < 12
        assert backends(production["DATABASE_URL"]) < 12
        head = server.data.call("append", session=session, count=1)
        for wire in wires:
            wire.wait_for(lambda f: f.data.get("seq") == head)
    eventually(lambda: server.data.call("session", session=session)["foreground"] == 0)


def backends(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        ).fetchone()
    return int(row[0])


def test_killed_web_process_is_reaped_by_periodic_sync_elsewhere(make_server, production):
    quick = {"CHAT_LEASE_S": "2", "CHAT_SYNC_INTERVAL_S": "0.5"}
    first = make_server(environment=production | quick, options=WEB)
    session = first.data.call("create_session", name="alice")
    with (
        first.beside("periodic_sync", "--interval", "0.3"),
        stream(first.url, first.token("alice"), watch=[session]) as wire,
    ):
        wire.wait_for_type("session_snapshot")
        connection = wire.connection_id
        eventually(lambda: first.data.call("session", session=session)["foreground"] == 1)
        first.kill()
        eventually(
            lambda: not first.data.call("connection", connection=connection)["open"],
            within_s=15,
        )
        eventually(lambda: first.data.call("session", session=session)["foreground"] == 0)
