"""Reserves: memory that is let go when there is none, threads that run before they are needed."""

import asyncio
import threading

import pytest
from asgiref.sync import sync_to_async

from chatproject import asgi
from chatproject.server import transport
from chatproject.server.transport import EagerTransport
from sessions.core.reserves import memory
from sessions.core.reserves.memory import SpareMemory
from sessions.core.reserves.threads import REQUESTS, RequestThreads, started


def test_spare_memory_is_let_go_when_it_is_short_and_taken_back(monkeypatch) -> None:
    free = memory.SPARE_BYTES + memory.ROOM_BYTES
    monkeypatch.setattr(memory, "_can_have", lambda size: size <= free)
    spare = SpareMemory()
    spare.look()
    assert not spare.is_short
    free = memory.ROOM_BYTES - 1
    spare.look()
    assert spare.is_short
    # The block that was let go is no sign of free memory.
    free = memory.SPARE_BYTES
    spare.look()
    assert spare.is_short
    free = memory.SPARE_BYTES + memory.ROOM_BYTES
    spare.look()
    assert not spare.is_short


async def test_a_request_lets_spare_memory_go_before_it_needs_it(monkeypatch) -> None:
    spare = SpareMemory()
    spare.look()
    seen = []

    async def django(*_: object) -> None:
        seen.append(spare.is_short)

    monkeypatch.setattr(asgi, "spare_memory", spare)
    monkeypatch.setattr(asgi, "django_application", django)
    scope = {"type": "http", "path": "/logout/", "root_path": "", "headers": []}
    await asgi.route(scope, None, None)
    monkeypatch.setattr(memory, "_can_have", lambda _size: False)
    await asgi.route(scope, None, None)
    assert seen == [False, True]


def test_a_failed_allocation_lets_spare_memory_go_at_once() -> None:
    spare = SpareMemory()
    assert not spare.let_go()
    assert not spare.is_short, "a process without a reserve is not short of one"
    spare.look()
    assert spare.let_go()
    assert spare.is_short


def test_a_callback_without_memory_lets_spare_memory_go() -> None:
    spare = SpareMemory()
    spare.look()

    def fail() -> None:
        raise MemoryError

    async def play() -> None:
        watching = asyncio.create_task(spare.watch())
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(fail)
        await asyncio.sleep(0)
        watching.cancel()

    asyncio.run(play())
    assert spare.is_short


class Socket:
    """A socket that gets no memory for its first read."""

    def __init__(self) -> None:
        self.reads = 0

    def recv(self, _size: int) -> bytes:
        self.reads += 1
        if self.reads == 1:
            raise MemoryError
        return b"GET"


class Connection(EagerTransport):
    """A connection without the reactor. fails: while it handles bytes."""

    def __init__(self, *, fails: bool = False) -> None:
        self.socket = Socket()
        self.received = b""
        self._fails = fails
        self.protocol = self

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 (Twisted's name)
        if self._fails:
            raise MemoryError
        self.received += data


def test_a_read_without_memory_is_repeated_with_the_reserve(monkeypatch) -> None:
    spare = SpareMemory()
    monkeypatch.setattr(transport, "spare_memory", spare)
    with pytest.raises(MemoryError):
        Connection().doRead()
    spare.look()
    connection = Connection()
    assert connection.doRead() is None
    assert (spare.is_short, connection.received) == (True, b"")
    connection.doRead()
    assert connection.received == b"GET"


def test_bytes_that_were_received_are_not_skipped(monkeypatch) -> None:
    spare = SpareMemory()
    monkeypatch.setattr(transport, "spare_memory", spare)
    connection = Connection(fails=True)
    connection.socket.reads = 1
    spare.look()
    with pytest.raises(MemoryError):
        connection.doRead()
    assert spare.is_short


def test_every_thread_of_an_executor_runs_before_it_is_needed() -> None:
    executor = started(3, "early")
    try:
        assert len([each for each in threading.enumerate() if each.name.startswith("early")]) == 3
    finally:
        executor.shutdown()


def test_requests_share_threads_and_wait_for_no_step_of_another() -> None:
    threads = RequestThreads()
    threads.start()
    release = threading.Event()

    async def step() -> str:
        async with threads.lent():
            first = await sync_to_async(lambda: threading.current_thread().name)()
            second = await sync_to_async(lambda: threading.current_thread().name)()
        assert first == second
        return first

    async def left_behind() -> None:
        async with threads.lent():
            await sync_to_async(release.wait)()

    async def play() -> None:
        names = {await step() for _ in range(3 * REQUESTS)}
        assert len(names) <= REQUESTS
        leaving = asyncio.create_task(left_behind())
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        # Its thread still works, so no other request gets it.
        async with asyncio.timeout(30):
            await asyncio.gather(*(step() for _ in range(3 * REQUESTS)))
        release.set()

    try:
        asyncio.run(play())
    finally:
        release.set()
