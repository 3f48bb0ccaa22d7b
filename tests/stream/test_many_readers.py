"""A thousand connections, of which a tenth never reads."""

import asyncio
import re
import socket
import time
from collections.abc import Iterator

import pytest

from tests.support.server import Server, eventually

# Slow: a thousand streams, opened and read by this one process.
pytestmark = pytest.mark.slow

CONNECTIONS = 1000
EVENTS = 3000
SEQ = re.compile(rb"^id: [0-9a-f-]{36}:(\d+)$", re.MULTILINE)
# A client that has stopped reading has a small window for us.
STALLED_WINDOW = 8192


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    running = Server(
        tmp_path_factory.mktemp("server"),
        environment={
            "CHAT_MAX_CONNECTIONS_PER_USER": str(2 * CONNECTIONS),
            "CHAT_MAX_CONNECTIONS_PER_ADDRESS": "0",
            "CHAT_STREAMS_PER_MINUTE": "0",
        },
        options=["--no-agents"],
    )
    try:
        yield running.start()
    finally:
        running.close()


class Reader:
    """Counts the events of a stream; it parses no more, or a thousand would hold up each other."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.is_stalled = number % 10 == 0
        self.seqs: list[int] = []
        self.skipped = 0
        self.has_snapshot = asyncio.Event()
        self.is_done = asyncio.Event()
        self._rest = b""

    async def open(self, server: Server, token: str, session: str) -> None:
        sock = socket.socket()
        if self.is_stalled:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, STALLED_WINDOW)
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(sock, ("127.0.0.1", server.port))
        # The limit is where asyncio stops reading for us: a stalled reader must stall.
        self.reader, self.writer = await asyncio.open_connection(sock=sock, limit=4096)
        self.writer.write(
            f"GET /api/chat/events?watch={session} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {token}\r\n\r\n".encode()
        )

    async def read_until(self, head: int) -> None:
        while not self.has(head):
            data = await self.reader.read(65536)
            assert data, f"reader {self.number} was cut off"
            self._take(data)
        self.is_done.set()

    async def read_snapshot(self) -> None:
        while not self.has_snapshot.is_set():
            self._take(await self.reader.read(65536))

    def has(self, head: int) -> bool:
        return bool(self.seqs and self.seqs[-1] >= head) or self.cursor >= head

    cursor = 0

    def _take(self, data: bytes) -> None:
        block, found, self._rest = (self._rest + data).rpartition(b"\n\n")
        if not found:
            return
        self.seqs += [int(seq) for seq in SEQ.findall(block)]
        for kind, fields in re.findall(rb'"type":"(session_snapshot|replay_skipped)"(.*)', block):
            if kind == b"session_snapshot":
                self.has_snapshot.set()
                self.cursor = int(re.search(rb'"cursor":(\d+)', fields)[1])
            else:
                first = int(re.search(rb'"from":(\d+)', fields)[1])
                last = int(re.search(rb'"to":(\d+)', fields)[1])
                self.skipped += last - first + 1


async def test_i8_a_thousand_connections_of_which_a_tenth_never_reads(server):
    session = server.data.call("create_session", name="alice")
    token = server.token("alice")
    readers = [Reader(number) for number in range(CONNECTIONS)]
    try:
        for reader in readers:
            await reader.open(server, token, session)
        async with asyncio.timeout(60):
            await asyncio.gather(*(reader.read_snapshot() for reader in readers))
        before = server.memory_mb()
        awake = [reader for reader in readers if not reader.is_stalled]
        head = EVENTS + 1
        reading = asyncio.gather(*(reader.read_until(head) for reader in awake))
        started = time.monotonic()
        await asyncio.to_thread(server.data.call, "append", session=session, count=EVENTS)
        async with asyncio.timeout(60):
            await reading
        took_s = time.monotonic() - started
        assert server.memory_mb() - before < 60
        for reader in awake:
            assert reader.seqs == sorted(set(reader.seqs))
            assert len(reader.seqs) + reader.skipped == EVENTS
        # Those who sleep have held nobody up, and are caught up when they wake.
        stalled = [reader for reader in readers if reader.is_stalled]
        async with asyncio.timeout(30):
            await asyncio.gather(*(reader.read_until(head) for reader in stalled))
        for reader in stalled:
            assert len(reader.seqs) + reader.skipped == EVENTS
        await asyncio.to_thread(server.data.call, "append", session=session, count=1)
        async with asyncio.timeout(20):
            await asyncio.gather(*(reader.read_until(head + 1) for reader in readers))
        print(f"{took_s:.1f} s, {server.memory_mb() - before:.0f} MB more")
    finally:
        for reader in readers:
            reader.writer.close()

    def is_unwatched() -> bool:
        return bool(server.data.call("session", session=session)["foreground"] == 0)

    await asyncio.to_thread(eventually, is_unwatched, within_s=60)
