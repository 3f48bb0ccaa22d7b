"""What a scrape of a real server tells, moved by what really happened."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
import redis

from lab.rig.ports import Port
from tests.support.server import Server, eventually
from tests.support.sse import stream


def scrape(server: Server) -> dict[str, float]:
    lines = httpx.get(f"{server.url}/metrics").raise_for_status().text.splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


def test_metrics_follow_prompts_turns_streams_and_catch_ups(server: Server) -> None:
    with server.client("alice") as client:
        prompt = {"clientMsgId": "c1", "sessionId": None, "text": "hello", "agent": "demo"}
        sent = client.post("/api/chat/send", json=prompt).json()
        client.post("/api/chat/send", json=prompt)
        client.post("/api/chat/send", json={**prompt, "text": "other"})
        session = sent["sessionId"]
        with stream(server.url, server.token("alice"), watch=[f"{session}:0"]) as wire:
            wire.wait_for_type("turn_end", within_s=30)
            during = scrape(server)
    assert during["backstay_streams_open"] == 1
    eventually(lambda: scrape(server)["backstay_streams_open"] == 0, what="the stream's end")
    after = scrape(server)
    assert after['backstay_sends_total{result="accepted"}'] == 1
    assert after['backstay_sends_total{result="duplicate"}'] == 1
    assert after['backstay_sends_total{result="fingerprint_conflict"}'] == 1
    assert after['backstay_events_appended_total{type="user_message"}'] == 1
    assert after['backstay_turns_total{reason="end_turn"}'] == 1
    assert after['backstay_catch_ups_total{kind="replay"}'] == 1
    assert after["backstay_events_delivered_total"] >= 10
    assert after["backstay_append_seconds_count"] >= 3
    assert after['backstay_wakes_total{source="local"}'] >= 3
    assert sum(value for name, value in after.items() if name.startswith("backstay_sessions{")) == 1


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_is_told_without_a_log_in(server: Server, path: str) -> None:
    assert httpx.get(server.url + path).json()["ok"] is True


def test_readiness_goes_through_the_layer(
    make_server: Callable[..., Server], redis_url: str
) -> None:
    server = make_server(environment={"REDIS_URL": redis_url})
    answer = httpx.get(f"{server.url}/readyz").json()
    assert answer["ok"] is True
    assert answer["checks"]["layer"] == "ok"
    assert set(answer["checks"].values()) == {"ok"}


def test_readiness_takes_one_channel_however_often_it_is_asked(
    make_server: Callable[..., Server], redis_url: str
) -> None:
    server = make_server(environment={"REDIS_URL": redis_url})
    with redis.Redis.from_url(redis_url) as layer, httpx.Client(base_url=server.url) as client:

        def channels_after_asking(times: int) -> set[bytes]:
            with ThreadPoolExecutor(4) as pool:
                answers = pool.map(lambda _: client.get("/readyz"), range(times))
                assert {answer.status_code for answer in answers} == {200}
            return set(layer.pubsub_channels())

        assert channels_after_asking(40) == channels_after_asking(1)


def test_readiness_names_the_layer_that_is_gone(make_server: Callable[..., Server]) -> None:
    port = Port()
    server = make_server(environment={"REDIS_URL": f"redis://127.0.0.1:{port.number}/0"})
    answer = httpx.get(f"{server.url}/readyz", timeout=20)
    assert answer.status_code == 503
    checks = answer.json()["checks"]
    assert checks["layer"] != "ok"
    assert "redis://" not in answer.text
    assert checks["database"] == "ok"
    # Hints are lost, nothing else: the server still serves.
    assert httpx.get(f"{server.url}/login/").status_code == 200
    port.release()
