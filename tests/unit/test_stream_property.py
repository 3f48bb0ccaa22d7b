"""I3 over random interleavings of append, connect, drop, stall and lost wakes.

Everything is real but the database, which is a list, and the socket, which is one too. Two of three
sockets take bytes at once while they have room, as a server of ours lets them.
"""

import asyncio
import json
from collections.abc import Callable, MutableMapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any
from unittest import mock
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessions.core.states import SessionState
from sessions.eventlog.events import LoggedEvent
from sessions.eventlog.store import Boundary
from transport import frames
from transport.asgi import Writer
from transport.live import catchup, hub, stream
from transport.live.hub import Hub
from transport.live.stream import Stream
from transport.models import Watch
from transport.rows import pool
from transport.rows.orders import CatchUpRequest

SESSION = uuid4()
NOW = datetime(2026, 1, 1, tzinfo=UTC)
MAX_GAP = 12
RING = 10
# Every ninth event is heavy: two of them in a gap are more than a replay may have.
HEAVY = 9
LIMITS = mock.Mock(
    MAX_REPLAY_GAP=MAX_GAP,
    HEARTBEAT_INTERVAL_S=9,
    PING_GRACE=2,
    RING_EVENTS=RING,
    RING_BYTES=100_000,
    RINGS_BYTES=2_000,
    TEXT_BYTES=10_000,
    REPLAY_BYTES=1_000,
)


class Log:
    """A log of one session, as sessions.eventlog.store and sessions.eventlog.snapshot show it."""

    def __init__(self) -> None:
        self.head = 0
        self.pruned_to = 0
        self.snapshots = 0

    def events(self, first: int, last: int) -> list[LoggedEvent]:
        return [
            LoggedEvent(SESSION, seq, "title_changed", NOW, {"title": str(seq)})
            for seq in range(first, last + 1)
        ]

    def boundary(self, session_id: UUID) -> Boundary:
        return Boundary(self.head, SessionState.ACTIVE, self.pruned_to)

    def read(self, session_id: UUID, *, after: int, limit: int, upto: int | None = None):
        last = self.head if upto is None else min(upto, self.head)
        return self.events(after + 1, last)[:limit]

    def batches(self, session_id: UUID, *, after: int, limit: int, max_bytes: int):
        yield self.read(session_id, after=after, limit=limit)

    def weigh(self, session_id: UUID, *, after: int, upto: int, enough: int) -> int:
        return sum(600 if seq % HEAVY == 0 else 10 for seq in range(after + 1, upto + 1))

    def take(self, session_id: UUID, *, messages: bool = True) -> dict[str, Any]:
        self.snapshots += 1
        return {"sessionId": str(SESSION), "cursor": self.head, "full": messages}


class Client:
    """Reads one stream after the other and keeps its cursor, as every client does."""

    def __init__(self, *, has_output: bool) -> None:
        self.has_output = has_output
        self.cursor: int | None = None
        self.delivered: set[int] = set()
        self.announced: set[int] = set()
        self.gate = asyncio.Event()
        self.gate.set()
        self.stream: Stream | None = None
        self.task: asyncio.Task[None] | None = None
        # The next bytes fill the socket.
        self.is_nearly_full = False
        # Written and not read: lost with the connection.
        self.in_flight = b""
        self._last_on_stream = 0

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Take a part of the answer as the server does: write, then wait for room."""
        self.write_at_once(message["body"])
        await self.gate.wait()

    @property
    def is_full(self) -> bool:
        return not self.gate.is_set()

    def write_at_once(self, chunk: bytes) -> None:
        if chunk and self.is_nearly_full:
            self.is_nearly_full = False
            self.gate.clear()
        self.in_flight += chunk
        if self.gate.is_set():
            self.read()

    def read(self) -> None:
        """Take the bytes in the socket, and read on."""
        self.gate.set()
        chunk, self.in_flight = self.in_flight, b""
        for block in chunk.decode().split("\n\n")[:-1]:
            fields = dict(line.split(": ", 1) for line in block.split("\n"))
            if fields.get("event", "message") == "message":
                self.receive(json.loads(fields["data"]))

    def receive(self, data: dict[str, Any]) -> None:
        if "seq" in data:
            assert data["seq"] > self._last_on_stream, "not ascending on one stream"
            assert data["seq"] == (self.cursor or 0) + 1 or self.cursor is None, "a silent hole"
            self._last_on_stream = self.cursor = data["seq"]
            self.delivered.add(data["seq"])
        elif data["type"] == "replay_skipped":
            assert data["from"] == (self.cursor or 0) + 1
            self.announced |= set(range(data["from"], data["to"] + 1))
            self._last_on_stream = self.cursor = data["to"]
        elif data["type"] == "session_snapshot":
            assert self.cursor is None or data["cursor"] == self.cursor
            if self.cursor is None:
                # What it begins with: the snapshot holds everything up to here.
                self.announced |= set(range(1, data["cursor"] + 1))
            self._last_on_stream = self.cursor = data["cursor"]

    def connect(self, shared: Hub) -> None:
        self._last_on_stream = 0
        writer = Writer(self.send, self if self.has_output else None)
        self.stream = Stream(uuid4(), hub=shared, writer=writer, spread_ms=lambda: 0)
        self.stream.catch_up(SESSION, CatchUpRequest(Watch.Order.WATCH, self.cursor))
        self.task = asyncio.get_running_loop().create_task(self.stream.run())

    async def drop(self) -> None:
        if self.task is None or self.stream is None:
            return
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task
        self.stream = self.task = None
        self.in_flight = b""
        self.gate.set()


class Wakes:
    def __init__(self) -> None:
        self.listener: Callable[..., None] | None = None

    def subscribe(self, session_id, listener):
        self.listener = listener

    def unsubscribe(self, session_id, listener):
        self.listener = None

    def tell(self, head, events):
        if self.listener is not None:
            self.listener(head, events)


@contextmanager
def without_database(log: Log):
    async def run(function, *args, **kwargs):
        await asyncio.sleep(0)
        result = function(*args, **kwargs)
        await asyncio.sleep(0)
        return result

    with (
        mock.patch.object(catchup, "store", log),
        mock.patch.object(catchup, "snapshot", log),
        mock.patch.object(hub, "store", log),
        mock.patch.object(pool, "run", run),
        mock.patch.object(hub, "MAX_FILL_EVENTS", 3 * RING),
        mock.patch.object(frames, "CHUNK_BYTES", 600),
        mock.patch.object(catchup, "chat", LIMITS),
        mock.patch.object(frames, "chat", LIMITS),
        mock.patch.object(stream, "chat", LIMITS),
        mock.patch.object(hub, "chat", LIMITS),
    ):
        yield


SIZES = st.integers(1, 3 * MAX_GAP)
TOLD = ("told", "head", "lost")
STEPS = st.one_of(
    st.tuples(st.just("append"), SIZES, st.sampled_from(TOLD)),
    st.tuples(st.just("connect"), st.integers(0, 2)),
    st.tuples(st.just("drop"), st.integers(0, 2)),
    st.tuples(st.just("stall"), st.integers(0, 2)),
    st.tuples(st.just("brim"), st.integers(0, 2)),
    st.tuples(st.just("read"), st.integers(0, 2)),
    # upto: how far the head had come when the round looked, and one batch of it.
    st.tuples(st.just("sync"), st.integers(0, 2), st.integers(0, 4 * MAX_GAP)),
    st.tuples(st.just("tail")),
    st.tuples(st.just("prune"), st.integers(1, 2 * MAX_GAP)),
    st.tuples(st.just("wait"), st.integers(1, 8)),
)


@settings(max_examples=300)
@given(st.lists(STEPS, max_size=40))
def test_i3_everything_is_delivered_in_order_or_announced(steps):
    asyncio.run(play([("connect", 0), ("wait", 8), *steps]))


# One reader that now and then does not read: what periodic sync orders comes at any moment.
STALLING = st.one_of(
    st.tuples(st.just("append"), st.integers(1, MAX_GAP), st.sampled_from(TOLD)),
    st.sampled_from([("stall", 0), ("brim", 0), ("read", 0), ("wait", 1), ("wait", 8)]),
    st.tuples(st.just("sync"), st.just(0), st.integers(0, 2 * MAX_GAP)),
)


@settings(max_examples=300)
@given(st.lists(STALLING, max_size=30))
def test_i3_rounds_of_sync_repeat_nothing_to_a_reader_that_stalls(steps):
    asyncio.run(play([("connect", 0), ("wait", 30), *steps]))


@pytest.mark.parametrize(
    "steps",
    [
        [("connect", 0), ("wait", 8), ("append", 5, "lost"), ("append", 2, "told")],
        [("append", 30, "lost"), ("connect", 0), ("append", 1, "told"), ("drop", 0)],
        [("connect", 0), ("wait", 8), ("stall", 0), ("append", 30, "told"), ("read", 0)],
        # A round's order comes while the stream waits for its reader, and is past it already.
        [
            ("connect", 0),
            ("wait", 30),
            ("stall", 0),
            ("append", 3, "told"),
            ("wait", 8),
            ("append", 3, "told"),
            ("sync", 0, 5),
            ("read", 0),
            ("wait", 8),
        ],
    ],
)
def test_i3_the_cases_that_the_rule_was_made_for(steps):
    asyncio.run(play(steps))


async def test_a_reader_that_rests_gets_an_event_within_the_wake() -> None:
    log, wakes, client = Log(), Wakes(), Client(has_output=True)
    with without_database(log):
        client.connect(Hub(wakes))
        await turns(30)
        append(log, wakes, 1, "told")
        assert client.cursor == log.head == 1  # no turn of the loop between
        client.is_nearly_full = True
        append(log, wakes, 1, "told")
        filled = client.in_flight
        assert filled
        append(log, wakes, 1, "told")
        await turns(30)
        assert client.in_flight == filled  # a full socket gets nothing more
        client.read()
        await turns(30)
        assert client.cursor == log.head == 3
        await client.drop()


async def test_streams_that_open_one_after_the_other_share_a_snapshot_until_the_next_event() -> (
    None
):
    log, wakes = Log(), Wakes()
    clients = [Client(has_output=True) for _ in range(4)]
    with without_database(log):
        shared = Hub(wakes)
        append(log, wakes, 3, "told")
        for client in clients[:3]:
            client.connect(shared)
            await turns(30)
        assert [client.cursor for client in clients[:3]] == [3, 3, 3]
        assert log.snapshots == 1
        append(log, wakes, 1, "told")
        clients[3].connect(shared)
        await turns(30)
        assert [client.cursor for client in clients] == [4, 4, 4, 4]
        assert log.snapshots == 2
        for client in clients:
            await client.drop()


@pytest.mark.parametrize("kind", [Watch.Order.RESUME, Watch.Order.RECONNECT, Watch.Order.RESYNC])
async def test_a_repair_reads_the_log_and_no_kept_snapshot(kind) -> None:
    """Its reason may be a wake that was lost."""
    log, wakes, client = Log(), Wakes(), Client(has_output=True)
    with without_database(log):
        append(log, wakes, 3, "told")
        client.connect(Hub(wakes))
        await turns(30)
        append(log, wakes, 2, "lost")
        assert client.stream is not None
        client.stream.catch_up(SESSION, CatchUpRequest(kind, client.cursor))
        await turns(30)
        assert client.cursor == log.head == 5
        await client.drop()


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def play(steps) -> None:
    log, wakes = Log(), Wakes()
    clients = [Client(has_output=number < 2) for number in range(3)]
    with without_database(log):
        shared = Hub(wakes)
        for step in steps:
            await perform(step, log, wakes, shared, clients)
            await asyncio.sleep(0)
        # In the end everybody reads and is connected, and the tail has told the head.
        for client in clients:
            client.is_nearly_full = False
            client.read()
            if client.stream is None:
                client.connect(shared)
        for _ in range(400):
            await asyncio.sleep(0)
            if all(client.cursor == log.head for client in clients):
                break
            wakes.tell(log.head, None)
        for client in clients:
            await client.drop()
    for client in clients:
        assert client.delivered | client.announced == set(range(1, log.head + 1))
        assert client.cursor == log.head


async def perform(step, log: Log, wakes: Wakes, shared: Hub, clients: list[Client]) -> None:
    match step:
        case ("append", count, told):
            append(log, wakes, count, told)
        case ("prune", back):
            log.pruned_to = max(log.pruned_to, log.head - back)
        case ("tail",):
            wakes.tell(log.head, None)
        case ("wait", count):
            await turns(count)
        case ("sync", number, back):
            if (stream := clients[number].stream) is not None:
                upto = max(0, log.head - back)
                order = CatchUpRequest(Watch.Order.SYNC, None, 0, upto, MAX_GAP)
                stream.catch_up(SESSION, order)
        case (name, number):
            await perform_on(clients[number], name, shared)


def append(log: Log, wakes: Wakes, count: int, told: str) -> None:
    first, log.head = log.head + 1, log.head + count
    if told != "lost":
        wakes.tell(log.head, log.events(first, log.head) if told == "told" else None)


async def perform_on(client: Client, name: str, shared: Hub) -> None:
    match name:
        case "connect" if client.stream is None:
            client.connect(shared)
        case "drop":
            await client.drop()
        case "stall":
            client.gate.clear()
        case "brim":
            client.is_nearly_full = True
        case "read":
            client.read()
