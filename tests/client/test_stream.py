"""The client's stream by itself, over scripted connections: when it comes back, what it tells."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import httpx
import pytest

from tests.client.waiting import until
from transport.client.commands import Answer
from transport.client.stream import Stream, StreamState

SID = "6f1f6c0e-0a35-4a0c-8d2e-0f7a5a3b1c2d"
OTHER = "7a1f6c0e-0a35-4a0c-8d2e-0f7a5a3b1c2d"


def frame(kind, **data):
    """One frame as it goes over the wire."""
    if kind in {"welcome", "ping"}:
        return f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode()
    return f"data: {json.dumps({'type': kind, **data})}\n\n".encode()


def welcome(connection_id="c1", **more):
    return frame("welcome", connectionId=connection_id, heartbeatMs=15_000, **more)


class Body(httpx.AsyncByteStream):
    """The pieces of one connection; an event of the loop holds the rest back, None all of it, an
    exception cuts it off."""

    def __init__(self, *pieces):
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            if piece is None:
                await asyncio.Event().wait()
            elif isinstance(piece, asyncio.Event):
                await piece.wait()
            elif isinstance(piece, Exception):
                raise piece
            else:
                yield piece


class Line:
    """A stream over a script: what each connection brings; a further one is held open."""

    def __init__(self, *connections, command=None, random=None):
        self.frames, self.statuses, self.requests = [], [], 0
        self._connections = list(connections)
        http = httpx.AsyncClient(
            base_url="http://server", transport=httpx.MockTransport(self._answer)
        )
        self.stream = Stream(
            http,
            command=command or self._ok,
            on_frame=self.frames.append,
            on_status=self.statuses.append,
            random=random or Random(1),
        )

    def _answer(self, _request):
        self.requests += 1
        pieces = self._connections.pop(0) if self._connections else (welcome(), None)
        if isinstance(pieces, httpx.Response):
            return pieces
        headers = {"Content-Type": "text/event-stream; charset=utf-8"}
        return httpx.Response(200, headers=headers, stream=Body(*pieces))

    async def _ok(self, _name, _body, _connection_id):
        return Answer(200, {"ok": True})

    @property
    def waits(self):
        """The waits that were told, in seconds."""
        return [s.retry_s for s in self.statuses if s.state is StreamState.WAITING]

    @asynccontextmanager
    async def running(self):
        task = asyncio.create_task(self.stream.run())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


class Most(Random):
    """Always the longest wait."""

    def random(self):
        return 1.0


GONE = frame("going_away")
CUT = httpx.ReadError("cut")


async def first_wait(*pieces, random):
    """Return what a client waits after one connection."""
    line = Line(pieces, random=random)
    async with line.running():
        await until(lambda: line.waits)
    return line.waits[0]


@pytest.mark.parametrize("loss", [CUT, GONE], ids=["cut", "going away"])
async def test_5000_clients_come_back_over_the_time_that_the_server_told(loss):
    chance = Random(7)
    seconds = Counter()
    for _ in range(50):
        clients = [first_wait(welcome(spreadMs=10_000), loss, random=chance) for _ in range(100)]
        seconds.update(int(wait) for wait in await asyncio.gather(*clients))
    assert seconds.total() == 5_000
    assert max(seconds.values()) < 0.15 * 5_000, seconds


@pytest.mark.parametrize(
    ("pieces", "wait_s"),
    [
        ((welcome(), CUT), 0.5),
        ((welcome(),), 0.5),
        ((welcome(spreadMs=10_000),), 10.5),
        ((welcome(spreadMs=10_000), frame("ping", spreadMs=4_000), CUT), 4.5),
        ((welcome(spreadMs=10_000), frame("ping"), CUT), 0.5),
        ((welcome(spreadMs=10_000), GONE), 10.0),
        ((welcome(), GONE), 0.0),
        ((CUT,), 0.5),
    ],
)
async def test_the_first_wait_is_the_first_delay_and_the_last_spread_that_was_told(pieces, wait_s):
    assert await first_wait(*pieces, random=Most()) == wait_s


async def test_the_spread_is_for_the_first_try_alone():
    line = Line((welcome(spreadMs=0), CUT), (CUT,), random=Most())
    async with line.running():
        await until(lambda: len(line.waits) == 2)
    assert line.waits == [0.5, 1.0]


async def test_who_waits_for_the_spread_comes_back_at_once_when_asked_to():
    line = Line((welcome(spreadMs=3_600_000), GONE), random=Most())
    async with line.running():
        await until(lambda: line.waits)
        line.stream.hurry()
        await until(lambda: line.stream.connection_id)
    assert line.requests == 2


async def test_what_one_client_alone_finds_dead_is_not_spread():
    line = Line((welcome(spreadMs=3_600_000), None))
    async with line.running():
        await until(lambda: line.stream.connection_id)
        line.stream.forget("c1")
        await until(lambda: line.requests == 2)
    assert line.waits == [0.0]


async def test_a_server_that_always_goes_away_is_not_hammered():
    line = Line(*[(welcome(), GONE)] * 4, random=Most())
    async with line.running():
        await until(lambda: len(line.waits) == 4)
    assert line.waits == [0.0, 0.0, 0.5, 1.0]


class Acks:
    """The acknowledgements that were told, each answered by the script, then by a receipt."""

    def __init__(self, *script):
        self.told = []
        self._script = list(script)

    async def __call__(self, name, body, connection_id):
        assert name == "ack"
        self.told.append((connection_id, body["sessions"]))
        step = self._script.pop(0) if self._script else Answer(204, {})
        if isinstance(step, Exception):
            raise step
        return step


@pytest.fixture
def quick_acks(monkeypatch):
    monkeypatch.setattr("transport.client.acks.ACK_S", 0.01)


def place(cursor, session=SID):
    return [{"sessionId": session, "cursor": cursor}]


def event(seq, session=SID):
    return frame("title_changed", sessionId=session, seq=seq)


@pytest.mark.usefixtures("quick_acks")
@pytest.mark.parametrize(
    "loss", [httpx.ReadError("cut"), TimeoutError(), Answer(502, {}), Answer(429, {"code": "x"})]
)
async def test_an_acknowledgement_is_told_again_until_it_arrives(loss):
    acks, later = Acks(loss, loss), asyncio.Event()
    line = Line((welcome(), event(1), event(2), later, event(1, OTHER), None), command=acks)
    line.stream.watch(SID, 0)
    line.stream.watch(OTHER, 0)
    async with line.running():
        await until(lambda: len(acks.told) == 3)
        later.set()
        await until(lambda: len(acks.told) == 4)
    # The last tells what is new alone: the first session's has arrived.
    assert acks.told == [("c1", place(2))] * 3 + [("c1", place(1, OTHER))]


@pytest.mark.usefixtures("quick_acks")
async def test_an_acknowledgement_that_is_refused_for_good_is_not_told_again():
    acks, later = Acks(Answer(400, {"ok": False, "code": "invalid_request"})), asyncio.Event()
    line = Line((welcome(), event(1), later, event(1, OTHER), None), command=acks)
    line.stream.watch(SID, 0)
    line.stream.watch(OTHER, 0)
    async with line.running():
        await until(lambda: acks.told)
        later.set()
        await until(lambda: len(acks.told) == 2)
    assert acks.told == [("c1", place(1)), ("c1", place(1, OTHER))]


@pytest.mark.usefixtures("quick_acks")
async def test_a_line_whose_acknowledgement_the_server_cannot_place_is_opened_anew():
    acks = Acks(Answer(404, {"ok": False, "code": "unknown_connection"}))
    line = Line((welcome(), event(1), None), (welcome("c2"), None), command=acks)
    line.stream.watch(SID, 0)
    async with line.running():
        await until(lambda: len(acks.told) == 2)
    assert acks.told == [("c1", place(1)), ("c2", place(1))]


async def test_the_server_says_how_long_it_may_be_silent():
    """Its ping grace counts: a client of the default would wait for twice as long."""
    line = Line((welcome(pingGrace=0.001), None), (welcome("c2"), None))
    async with line.running():
        await until(lambda: line.requests == 2)
    assert "silent" in {status.reason for status in line.statuses}


@pytest.mark.parametrize("status", [200, 302, 401, 403])
async def test_a_page_of_a_proxy_is_no_stream_and_no_log_out(status):
    page = httpx.Response(status, html="<p>Log in to the network</p>")
    line = Line(page, (welcome(), None))
    async with line.running():
        await until(lambda: line.stream.connection_id)
    [waiting] = [s for s in line.statuses if s.state is StreamState.WAITING]
    assert waiting.reason == "an answer that is not Backstay's"
