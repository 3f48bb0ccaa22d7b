"""A watch that is just being ended: no order that follows may make its stream jump in silence."""

from tests.support.sse import stream

# Small enough that the stream soon waits for its reader.
WINDOW = 16 * 1024
BUDGETS = ("CHAT_REPLAY_BYTES", "CHAT_RING_BYTES", "CHAT_RINGS_BYTES")


def test_i3_a_prompt_behind_an_unwatch_that_its_stream_has_not_heard_of_goes_on_from_there(
    make_server,
):
    # The stream hears of orders by a poke alone, which the row's change here does not give.
    # Nothing is left out here: neither the ring nor a replay is full.
    environment = {"CHAT_TAIL_INTERVAL_S": "60"} | dict.fromkeys(BUDGETS, str(64 * 1024 * 1024))
    server = make_server(environment=environment, options=["--no-agents"])
    session = server.data.call("create_session", name="alice")
    with (
        stream(
            server.url, server.token("alice"), watch=[f"{session}:0"], receive_buffer=WINDOW
        ) as wire,
        server.client("alice") as alice,
    ):
        wire.wait_for_type("session_snapshot")

        def say(text: str) -> int:
            answer = alice.post(
                "/api/chat/send",
                json={"clientMsgId": text, "sessionId": session, "text": text},
                headers={"X-Connection-ID": wire.connection_id},
            )
            assert answer.status_code == 202
            return answer.json()["seq"]

        # Nobody reads: the stream sits in its write, and what comes now waits behind it.
        server.data.call("append", session=session, count=100, text="long " * 18_000)
        say("first")
        server.data.call("unwatch", connection=wire.connection_id, session=session)
        server.data.call("append", session=session, count=5)
        head = say("hello")
        wire.wait_for(lambda frame: frame.data.get("clientMsgId") == "hello", within_s=60)
        assert wire.seqs(session) == list(range(1, head + 1))
        assert wire.types().count("unwatched") == 0


def test_an_unwatch_is_told_on_its_stream(make_server):
    server = make_server(options=["--no-agents"])
    session = server.data.call("create_session", name="alice")
    with stream(server.url, server.token("alice"), watch=[f"{session}:0"]) as wire:
        wire.wait_for_type("session_snapshot")
        server.data.call("unwatch", connection=wire.connection_id, session=session)
        told = wire.wait_for_type("unwatched")
        assert told.data["sessionId"] == session
