"""The cutting proxy: one line per device, on a port of its own, over which nothing is certain.

A line carries one request per connection, so that the n-th POST of a device meets the n-th fault
that its seed has drawn, whatever other devices do meanwhile.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Final

from lab.chaos.faults import CutKind, PostFault, StreamFault, post_fault, stream_fault

HOST: Final = "127.0.0.1"
MAX_HEAD_BYTES: Final = 64 * 1024
READ_BYTES: Final = 16 * 1024
# The pace of a slow line: less than an answer needs, so that buffers fill.
TRICKLE_BYTES: Final = 2048
TRICKLE_S: Final = 0.2
# A request without an answer is left like this for so long; longer than a device waits.
SILENT_S: Final = 6.0
# A server that was not told keeps its end for so long.
GHOST_S: Final = 4.0

_STALE = {"ok": False, "code": "unknown_connection", "error": "No such connection."}


@dataclass(slots=True)
class Request:
    """One request as it came."""

    method: str
    path: str
    raw: bytes

    @property
    def is_stream(self) -> bool:
        """Whether it asks for the stream."""
        return self.method == "GET" and self.path.startswith("/api/chat/events")


@dataclass(slots=True, eq=False)
class _Pair:
    """Both ends of one open stream."""

    near: asyncio.StreamWriter
    far: asyncio.StreamWriter
    cut: asyncio.Event = field(default_factory=asyncio.Event)


class Line:
    """A device's way to the servers. ports: those that it may be led to at this moment."""

    def __init__(
        self, name: str, *, ports: Callable[[], Sequence[int]], random: Random, counts: Counter[str]
    ) -> None:
        self.name = name
        self.is_honest = False
        self._ports = ports
        self._random = random
        self._counts = counts
        self._server: asyncio.Server | None = None
        self._pairs: set[_Pair] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self._is_slow = False
        self._refuses = False

    @property
    def url(self) -> str:
        """Where the device finds its server."""
        if self._server is None:
            raise RuntimeError("the line is not open")
        return f"http://{HOST}:{self._server.sockets[0].getsockname()[1]}"

    async def open(self) -> None:
        """Begin to take connections."""
        self._server = await asyncio.start_server(self._accept, HOST, 0)

    async def close(self) -> None:
        """End every connection and the port."""
        if self._server is not None:
            self._server.close()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> int:
        """Cut every open stream in the middle; return how many there were."""
        for pair in list(self._pairs):
            pair.cut.set()
        return len(self._pairs)

    def stall(self, stalled: bool) -> None:  # noqa: FBT001 (says it at the call)
        """Let nothing through in either direction, without an end; or let it flow again."""
        if stalled:
            self._flows.clear()
        else:
            self._flows.set()

    def slow(self, slow: bool) -> None:  # noqa: FBT001 (says it at the call)
        """Let answers through at a trickle."""
        self._is_slow = slow

    def refuse(self, refuses: bool) -> None:  # noqa: FBT001 (says it at the call)
        """Take no new connection."""
        self._refuses = refuses

    def heal(self) -> None:
        """Be a good line from now on."""
        self.is_honest = True
        self._is_slow = self._refuses = False
        self._flows.set()

    # --- One connection -------------------------------------------------------------------------

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self._refuses:
                return
            request = await _read_request(reader)
            await self._flows.wait()
            if request.is_stream:
                await self._serve_stream(request, reader, writer)
            elif request.method == "POST" and not self.is_honest:
                await self._serve_post(request, writer)
            else:
                await _answer(writer, await self._deliver(request))
        except (OSError, EOFError, asyncio.LimitOverrunError):
            pass  # a broken end: the other one is broken, too
        finally:
            _abort(writer)

    def _count(self, fault: str) -> None:
        if fault:
            self._counts[fault] += 1

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        ports = self._ports()
        if not ports:
            raise ConnectionRefusedError("no server is up")
        return await asyncio.open_connection(HOST, self._random.choice(ports))

    async def _deliver(self, request: Request) -> bytes:
        """Send a request on and return its whole answer."""
        reader, writer = await self._connect()
        try:
            writer.write(request.raw)
            await writer.drain()
            return await reader.read(-1)
        finally:
            _abort(writer)

    # --- POSTs ----------------------------------------------------------------------------------

    async def _serve_post(self, request: Request, writer: asyncio.StreamWriter) -> None:
        fault = post_fault(self._random)
        wait_s = self._random.uniform(0.05, 1.0)
        self._count(fault)
        match fault:
            case PostFault.REQUEST_LOST:
                return
            case PostFault.ANSWER_LOST:
                await self._deliver(request)
                return
            case PostFault.BAD_GATEWAY:
                await _answer(writer, _page(502))
                return
            case PostFault.BAD_GATEWAY_AFTER:
                await self._deliver(request)
                await _answer(writer, _page(502))
                return
            case PostFault.STALE:
                await _answer(writer, _json(404, _STALE))
                return
            case PostFault.HELD:
                await asyncio.sleep(SILENT_S)
                await self._deliver(request)
                return
            case PostFault.DELAYED:
                await asyncio.sleep(wait_s)
            case PostFault.TWICE:
                self._later(request, 0.0)
            case PostFault.COPY_LATER:
                self._later(request, 3 * wait_s)
        answer = await self._deliver(request)
        await self._flows.wait()
        await _answer(writer, answer)

    def _later(self, request: Request, delay_s: float) -> None:
        async def deliver() -> None:
            await asyncio.sleep(delay_s)
            with suppress(OSError, EOFError):
                await self._deliver(request)

        task = asyncio.get_running_loop().create_task(deliver())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- Streams --------------------------------------------------------------------------------

    async def _serve_stream(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        fault, life_s, cut = StreamFault.NONE, 0.0, CutKind.BOTH
        if not self.is_honest:
            fault, life_s, cut = stream_fault(self._random)
        self._count(fault)
        if fault is StreamFault.SILENT:
            await asyncio.sleep(SILENT_S)
        elif fault is not StreamFault.NONE:
            await _answer(writer, _page(502 if fault is StreamFault.BAD_GATEWAY else 404))
        else:
            far_reader, far = await self._connect()
            pair = _Pair(writer, far)
            self._pairs.add(pair)
            far.write(request.raw)
            try:
                await self._carry(pair, reader, far_reader, life_s, cut)
            finally:
                self._pairs.discard(pair)
                _abort(far)

    async def _carry(
        self,
        pair: _Pair,
        near_reader: asyncio.StreamReader,
        far_reader: asyncio.StreamReader,
        life_s: float,
        cut: CutKind,
    ) -> None:
        """Carry a stream until one side ends it or its time is over."""
        ends = [
            asyncio.create_task(self._flow(far_reader, pair.near)),
            asyncio.create_task(near_reader.read(1)),  # a device that closes; it sends nothing
            asyncio.create_task(pair.cut.wait()),
        ]
        limit = life_s or None
        try:
            done, _ = await asyncio.wait(ends, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in ends:
                task.cancel()
            await asyncio.gather(*ends, return_exceptions=True)
        if done and ends[2] not in done:
            return  # ended by a side, not by the line
        if self.is_honest:
            return
        self._count(cut if not done else "")
        if not done and cut is CutKind.GHOST:
            _abort(pair.near)
            await asyncio.sleep(GHOST_S)
        elif not done and cut is CutKind.DEAF:
            _abort(pair.far)
            await near_reader.read(1)
        else:
            await self._half_a_frame(far_reader, pair.near)

    async def _flow(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await self._flows.wait()
            data = await reader.read(TRICKLE_BYTES if self._is_slow else READ_BYTES)
            if not data:
                return
            # Nothing is awaited in between: what was taken is passed on, or a cut would be a hole.
            writer.write(data)
            await writer.drain()
            if self._is_slow:
                await asyncio.sleep(TRICKLE_S)

    async def _half_a_frame(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Let half of the next bytes through, and no more."""
        with suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                data = await reader.read(READ_BYTES)
                writer.write(data[: len(data) // 2])
                await writer.drain()


async def _read_request(reader: asyncio.StreamReader) -> Request:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head[:-4].decode("latin1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = [line for line in lines if not line.lower().startswith("connection:")]
    lengths = [line.split(":")[1] for line in lines if line.lower().startswith("content-length:")]
    body = await reader.readexactly(int(lengths[0])) if lengths else b""
    # One request per connection: then the end of the answer is the end of the connection.
    sent = "\r\n".join([first, *headers, "Connection: close", "", ""])
    return Request(method, path, sent.encode("latin1") + body)


async def _answer(writer: asyncio.StreamWriter, answer: bytes) -> None:
    writer.write(answer)
    await writer.drain()
    # Not aborted: an answer that is under way must arrive.
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


def _page(status: int) -> bytes:
    body = b"<html><body><h1>The gateway is sorry.</h1></body></html>"
    return _response(status, "text/html", body)


def _json(status: int, data: object) -> bytes:
    return _response(status, "application/json", json.dumps(data).encode())


def _response(status: int, kind: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status} Told\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + body


def _abort(writer: asyncio.StreamWriter) -> None:
    if not writer.is_closing():
        writer.transport.abort()
