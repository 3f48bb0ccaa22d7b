"""Redis in hostile hands: a client of it can write there, without the layer's key and with it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgpack
import psutil
import pytest
import redis
from channels_redis.serializers import registry

from tests.support.server import Server, eventually
from tests.support.sse import Wire, stream

WEB = ["--no-agents", "--no-sync"]
# So long that nothing in these tests can come by the tail.
NO_TAIL = {"CHAT_TAIL_INTERVAL_S": "60"}
FAR = 10**15
MEGABYTE = 1024 * 1024


class Attacker:
    """A client of Redis beside the servers."""

    def __init__(self, url: str, key: str | None = None) -> None:
        self.redis = redis.Redis.from_url(url)
        self._key = key

    def channels(self, part: str = "") -> list[bytes]:
        """Return the names of the channels that the servers listen to."""
        return self.redis.pubsub_channels(f"backstay*{part}*")

    def send(self, channel: bytes | str, message: Any) -> None:
        """Write a message as the servers do, as well as the key allows."""
        keys = None if self._key is None else [self._key]
        serializer = registry.get_serializer("msgpack", symmetric_encryption_keys=keys)
        self.redis.publish(channel, serializer.serialize(message))


class Place:
    """Two web processes and a runner that know one another by Redis alone; a chat on both."""

    def __init__(self, first: Server, second: Server, redis_url: str) -> None:
        self.first, self.second = first, second
        self.alice = second.client("alice")
        key = Path(first.environment["DATA_DIR"], "layer_key").read_text().strip()
        self.stranger = Attacker(redis_url)
        self.insider = Attacker(redis_url, key)

    def send(self, text: str, session: str | None = None) -> dict[str, Any]:
        body = {"clientMsgId": str(uuid.uuid4()), "sessionId": session, "text": text}
        return self.alice.post("/api/chat/send", json=body | {"agent": "demo"}).json()

    def group(self, session: str) -> str:
        return f"backstay__group__chat.session.{session}"

    def log(self, session: str) -> list[dict[str, Any]]:
        return self.first.data.call("events", session=session)


@pytest.fixture
def place(make_server, postgres_url, redis_url) -> Iterator[Place]:
    environment = {"DATABASE_URL": postgres_url, "REDIS_URL": redis_url} | NO_TAIL
    first = make_server(environment=environment, options=WEB)
    shared = {"DATA_DIR": first.environment["DATA_DIR"]}
    second = make_server(environment=environment | shared, options=WEB)
    with first.beside("run_agents"):
        made = Place(first, second, redis_url)
        with made.alice:
            yield made


def turn_of(wire: Wire, receipt: dict[str, Any], kind: str = "turn_end") -> Any:
    """Return the first event of a kind after a prompt."""
    return wire.wait_for(
        lambda f: f.type == kind and f.data.get("seq", 0) > receipt["seq"], within_s=30
    )


def assert_true(wire: Wire, place: Place, session: str, end: Any) -> None:
    """Assert that a reader has the log up to an event, each event once, and nothing else."""
    of_stream = {"v", "sessionId", "ts"}
    shown = [
        {name: value for name, value in frame.data.items() if name not in of_stream}
        for frame in wire.frames
        if frame.data.get("seq")
    ]
    assert shown == [event for event in place.log(session) if event["seq"] <= end.data["seq"]]


def forgeries(session: str) -> list[Any]:
    """Return messages that nobody of this installation has sent."""
    event = [2, "block_end", "2026-01-01T00:00:00+00:00", {"html": "<b>false</b>"}]
    other = str(uuid.uuid4())
    return [
        {"type": "chat.head", "session": session, "head": FAR, "events": [event]},
        {"type": "chat.head", "session": session, "head": FAR},
        {"type": "chat.head", "session": session, "head": -1},
        {"type": "chat.head", "session": session, "head": "many"},
        {"type": "chat.head", "session": other, "head": FAR},
        {"type": "chat.work", "session": session},
        {"type": "chat.work", "session": "none"},
        {"type": "transport.poke", "connection": other},
        {"type": "transport.poke", "connection": 7},
        {"type": "readiness", "nonce": "forged"},
        {"type": "interrupt_requested", "session": session},
        {},
        [],
        None,
        "text",
        FAR,
        {"type": ["chat.head"]},
        {b"\xff": {b"\xfe": [[[[]]]]}},
    ]


def forge(place: Place, session: str) -> None:
    """Write every forgery to every channel, with the key and without."""
    for attacker in (place.stranger, place.insider):
        for channel in attacker.channels():
            for message in forgeries(session):
                attacker.send(channel, message)
    for channel in place.stranger.channels():
        for raw in (b"", b"\xc1", b"\xdd\xff\xff\xff\xff", b"gAAAAA" + b"x" * 90):
            place.stranger.redis.publish(channel, raw)


def test_forged_messages_show_nothing_and_hinder_nothing(place):
    session = place.send("/slow 1")["sessionId"]
    token = place.first.token("alice")
    with stream(place.first.url, token, watch=[f"{session}:0"]) as wire:
        eventually(lambda: place.stranger.channels(session))
        forge(place, session)
        wire.wait_for_type("turn_end")
        # Wakes are heard at once, and an interrupt reaches a runner of another process.
        receipt = place.send("/slow 600", session)
        turn_of(wire, receipt, "block_delta")
        forge(place, session)
        answer = place.alice.post("/api/chat/interrupt", json={"sessionId": session})
        assert answer.json()["interrupted"], answer.text
        end = turn_of(wire, receipt)
        forge(place, session)
        receipt = place.send("/slow 1", session)
        end = turn_of(wire, receipt)
        assert_true(wire, place, session, end)
        assert "<b>false" not in str([frame.data for frame in wire.frames])
    for server in (place.first, place.second):
        with server.client("alice") as anyone:
            assert anyone.get("/readyz").status_code == 200
            assert refusals(anyone)["malformed"] > 0
            assert refusals(anyone)["unreadable"] > 0


def refusals(http: httpx.Client) -> dict[str, float]:
    """Return how many messages a server has refused, by the reason."""
    lines = http.get("/metrics").text.split("\n")
    named = [line for line in lines if line.startswith("backstay_layer_messages_refused_total{")]
    return {line.split('"')[1]: float(line.split()[-1]) for line in named}


def test_what_is_overheard_has_no_word_of_a_chat_and_is_worthless_again(place):
    session = place.send("/slow 1")["sessionId"]
    with place.stranger.redis.pubsub() as ear:
        ear.psubscribe("backstay*")
        token = place.first.token("alice")
        with stream(place.first.url, token, watch=[f"{session}:0"]) as wire:
            eventually(lambda: place.stranger.channels(session))
            turn_of(wire, place.send("the secret word is mellon", session))
            heard = []
            while message := ear.get_message(timeout=1):
                if message["type"] == "pmessage":
                    heard.append((message["channel"], message["data"]))
            assert heard
            for _, data in heard:
                assert data.startswith(b"gAAAA"), "it is not encrypted"
            for _ in range(20):
                for channel, data in heard:
                    place.stranger.redis.publish(channel, data)
            end = turn_of(wire, place.send("/slow 1", session))
            assert_true(wire, place, session, end)


@pytest.mark.slow  # 100,000 messages
def test_a_flood_costs_no_memory_and_delays_nobody(place):
    session = place.send("/slow 1")["sessionId"]
    token = place.first.token("alice")
    with stream(place.first.url, token, watch=[f"{session}:0"]) as wire:
        eventually(lambda: place.stranger.channels(session))
        turn_of(wire, place.send("/slow 1", session))
        process = psutil.Process(place.first.pid)
        before = process.memory_info().rss
        big = b"gAAAA" + b"x" * MEGABYTE
        small = msgpack.packb({"type": "chat.head", "session": session, "head": FAR})
        for number in range(100):
            place.stranger.redis.publish(place.group(session), big)
            with place.insider.redis.pipeline(transaction=False) as many:
                for _ in range(900):
                    many.publish(place.group(session), small)
                many.execute()
            for further in range(100):
                hint = {"type": "chat.head", "session": session, "head": FAR + further}
                place.insider.send(place.group(session), hint)
            if number == 50:
                started = time.monotonic()
                turn_of(wire, place.send("/slow 1", session))
                assert time.monotonic() - started < 20
        with place.first.client("alice") as anyone:
            assert anyone.get("/healthz").status_code == 200
        turn_of(wire, place.send("/slow 1", session))
        eventually(lambda: process.memory_info().rss - before < 64 * MEGABYTE, within_s=30)
