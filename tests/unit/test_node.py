"""What one process does for all its streams together."""

import asyncio
import gc
import json
import threading
import uuid
import weakref
from typing import Any

import pytest

from transport.asgi import Writer
from transport.background import Background
from transport.live.node import Node, current
from transport.live.stream import Stream
from transport.rows import pool, presence, progress


async def test_watchers_of_clients_that_come_at_once_are_counted_together(monkeypatch):
    counted = []
    all_are_here = threading.Event()

    def count(ids):
        counted.append(set(ids))
        all_are_here.wait(10)

    monkeypatch.setattr(presence, "refresh", count)
    node = Node()
    sessions = [uuid.uuid4() for _ in range(100)]
    for session_id in sessions:
        node.refresh_presence([session_id])
        await asyncio.sleep(0)
    all_are_here.set()
    async with asyncio.timeout(30):
        while set().union(*counted) != set(sessions):
            await asyncio.sleep(0.001)
    # The first to come is counted at once, the others while that count runs.
    assert len(counted) == 2


async def test_a_count_that_fails_does_not_end_the_counting(monkeypatch):
    counted = []

    def refuse_first(ids):
        counted.append(ids)
        if len(counted) == 1:
            raise OSError("the database is away")

    monkeypatch.setattr(presence, "refresh", refuse_first)
    node = Node()
    async with asyncio.timeout(30):
        while len(counted) < 2:
            node.refresh_presence([uuid.uuid4()])
            await asyncio.sleep(0.001)


async def test_periodic_sync_of_a_server_knows_the_cursors_of_its_streams(monkeypatch):
    kept = {}
    monkeypatch.setattr(Background, "_keep", lambda _, name, work: kept.update({name: work}))
    Background(agents=False, sync=True).start()
    assert kept["periodic sync"].keywords == {"position": current().position}


async def test_a_ping_counts_when_its_reader_has_taken_it(monkeypatch, settings):
    """And it is written until the database has it."""
    settings.CHAT = {"HEARTBEAT_INTERVAL_S": 0.05}
    written, failures, waiting = [], [OSError("the database is away")], asyncio.Event()
    gate = asyncio.Event()

    async def send(part: dict[str, Any]) -> None:
        if b"event: ping" in part["body"]:
            waiting.set()
            await gate.wait()

    async def flush(function, _reports, pings) -> None:
        assert function is progress.flush
        if failures:
            raise failures.pop()
        written.append(pings)

    monkeypatch.setattr(pool, "run", flush)
    node = Node()
    stream = Stream(uuid.uuid4(), hub=node.hub, writer=Writer(send), spread_ms=node.spread_ms)
    node.streams[stream.connection_id] = stream
    running = asyncio.create_task(stream.run())
    try:
        async with asyncio.timeout(30):
            await waiting.wait()
            await node._flush()
            assert (written, stream.pinged_at) == ([], None)
            gate.set()
            while stream.pinged_at is None:
                await asyncio.sleep(0.001)
            stream.end()
            await running
    finally:
        running.cancel()
    with pytest.raises(OSError, match="away"):
        await node._flush()
    await node._flush()
    await node._flush()
    assert written == [{stream.connection_id: stream.pinged_at}]


@pytest.mark.parametrize(
    ("streams", "spread_ms"), [(0, 0), (1, 0), (49, 0), (50, 100), (1234, 2468), (5000, 10_000)]
)
def test_returns_are_spread_by_how_many_would_come_back(streams, spread_ms):
    node = Node()
    node.streams = dict.fromkeys(range(streams))
    assert node.spread_ms() == spread_ms


def test_server_that_wants_its_clients_back_slowly_tells_a_longer_time(settings):
    settings.CHAT = {"RETURNS_PER_S": 10}
    node = Node()
    node.streams = dict.fromkeys(range(30))
    assert node.spread_ms() == 3000


async def test_welcome_and_each_ping_tell_the_spread_of_the_moment(settings):
    settings.CHAT = {"HEARTBEAT_INTERVAL_S": 0.05}
    spreads, told = iter([0, 700, 800]), []

    async def send(part: dict[str, Any]) -> None:
        told.append(json.loads(part["body"].split(b"data: ")[1])["spreadMs"])
        if len(told) == 3:
            stream.end()

    hub = Node().hub
    stream = Stream(uuid.uuid4(), hub=hub, writer=Writer(send), spread_ms=lambda: next(spreads))
    async with asyncio.timeout(30):
        await stream.run()
    assert told == [0, 700, 800]


def test_a_node_ends_with_its_loop():
    """A later loop may get the same id: its streams must not be added to the hub of a dead one."""

    async def make() -> weakref.ref[Node]:
        node = current()
        node.start()
        assert current() is node
        return weakref.ref(node)

    first = asyncio.run(make())
    second = asyncio.run(make())
    gc.collect()
    assert first() is None
    assert second() is not None
