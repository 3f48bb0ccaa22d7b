"""HTTP through the cutting proxy, one request per connection: received, forwarded, answered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Final

HOST: Final = "127.0.0.1"


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

    @property
    def is_command(self) -> bool:
        """Whether it changes something, and may be lost or come twice: a POST, or an upload."""
        return self.method == "POST" or (
            self.method == "PUT" and self.path.startswith("/api/blobs/")
        )


@dataclass(slots=True)
class Servers:
    """The far end of a line. ports: those that it may be led to at this moment."""

    ports: Callable[[], Sequence[int]]
    random: Random

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to one of them. Raises OSError when none is up."""
        ports = self.ports()
        if not ports:
            raise ConnectionRefusedError("no server is up")
        return await asyncio.open_connection(HOST, self.random.choice(ports))

    async def deliver(self, request: Request) -> bytes:
        """Send a request on and return its whole answer."""
        reader, writer = await self.connect()
        try:
            writer.write(request.raw)
            await writer.drain()
            return await reader.read(-1)
        finally:
            abort(writer)


async def read_request(reader: asyncio.StreamReader) -> Request:
    """Read the request of a connection. Raises EOFError when there is none."""
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head[:-4].decode("latin1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = [line for line in lines if not line.lower().startswith("connection:")]
    lengths = [line.split(":")[1] for line in lines if line.lower().startswith("content-length:")]
    body = await reader.readexactly(int(lengths[0])) if lengths else b""
    # One request per connection: then the end of the answer is the end of the connection.
    sent = "\r\n".join([first, *headers, "Connection: close", "", ""])
    return Request(method, path, sent.encode("latin1") + body)


async def answer(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Write a whole answer, and end the connection."""
    writer.write(data)
    await writer.drain()
    # Not aborted: an answer that is under way must arrive.
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


def page(status: int) -> bytes:
    """Return a gateway's own error page."""
    body = b"<html><body><h1>The gateway is sorry.</h1></body></html>"
    return _response(status, "text/html", body)


def stale() -> bytes:
    """Return the answer for a connection that the server does not know."""
    refusal = {"ok": False, "code": "unknown_connection", "error": "No such connection."}
    return _response(404, "application/json", json.dumps(refusal).encode())


def _response(status: int, kind: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status} Told\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + body


def abort(writer: asyncio.StreamWriter) -> None:
    """Cut a connection at this end."""
    if not writer.is_closing():
        writer.transport.abort()
