"""Reads a stream byte by byte: what is on the wire, in its order, before any client's rules."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from lab.rig.waiting import PATIENCE_S

HTTP_OK = 200


@dataclass(frozen=True)
class Frame:
    """One SSE frame."""

    event: str
    id: str | None
    data: dict[str, Any]

    @property
    def type(self) -> str:
        """The envelope's type; of welcome and ping, the event's name."""
        return str(self.data.get("type", self.event))


@dataclass
class Wire:
    """An open stream over a socket of its own, which reads only when it is asked to."""

    sock: socket.socket
    frames: list[Frame] = field(default_factory=list)
    bytes_read: int = 0
    ended: bool = False
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    _raw: bytes = b""
    _body: bytes = b""

    @property
    def connection_id(self) -> str:
        """The id that the welcome told."""
        welcome = self.wait_for(lambda frame: frame.type == "welcome")
        return str(welcome.data["connectionId"])

    def wait_for(self, check: Callable[[Frame], bool], *, within_s: float = PATIENCE_S) -> Frame:
        """Return the first frame that fits, of those read and those to come."""
        seen = 0
        deadline = time.monotonic() + within_s
        while True:
            for frame in self.frames[seen:]:
                if check(frame):
                    return frame
            seen = len(self.frames)
            self._assert_alive()
            assert time.monotonic() < deadline, f"no such frame in {within_s} s: {self.types()}"
            self.read(deadline - time.monotonic())

    def _assert_alive(self) -> None:
        """Fail when no frame can come any more."""
        refusal = f"the stream was refused with {self.status}: {self._body[:500]!r}"
        assert self.status in {0, HTTP_OK}, refusal
        assert not self.ended, f"the stream ended; it had {self.types()}"

    def wait_for_type(self, kind: str, *, within_s: float = PATIENCE_S) -> Frame:
        """Return the first frame of a type."""
        return self.wait_for(lambda frame: frame.type == kind, within_s=within_s)

    def wait_for_status(self, *, within_s: float = PATIENCE_S) -> int:
        """Return the status of the answer."""
        deadline = time.monotonic() + within_s
        while not self.status:
            assert time.monotonic() < deadline, f"no answer within {within_s} s"
            self.read(deadline - time.monotonic())
        return self.status

    def wait_for_end(self, *, within_s: float = PATIENCE_S) -> None:
        """Read until the server has ended the stream."""
        deadline = time.monotonic() + within_s
        while not self.ended:
            assert time.monotonic() < deadline, f"the stream did not end within {within_s} s"
            self.read(deadline - time.monotonic())

    def read(self, timeout_s: float) -> None:
        """Read once, whatever comes, or nothing until the timeout."""
        self.sock.settimeout(max(0.01, timeout_s))
        try:
            data = self.sock.recv(1 << 18)
        except TimeoutError:
            return
        if not data:
            self.ended = True
        self.bytes_read += len(data)
        self._raw += data
        self._parse()

    def read_for(self, seconds: float) -> list[Frame]:
        """Return the frames that come within a time: for showing that nothing else comes."""
        before = len(self.frames)
        deadline = time.monotonic() + seconds
        while not self.ended and time.monotonic() < deadline:
            self.read(deadline - time.monotonic())
        return self.frames[before:]

    def seqs(self, session: str) -> list[int]:
        """Return the seqs of a session in the order of the wire."""
        mine = (f for f in self.frames if f.data.get("sessionId") == session)
        return [frame.data["seq"] for frame in mine if "seq" in frame.data]

    def types(self) -> list[str]:
        """Return the types of the first frames, for the message of a failure."""
        return ["event" if frame.id else frame.type for frame in self.frames[:20]]

    def _parse(self) -> None:
        if not self.status and not self._parse_head():
            return
        if self.headers.get("transfer-encoding") == "chunked":
            self._parse_chunks()
        else:
            self._body += self._raw
            self._raw = b""
        while self.status == HTTP_OK and b"\n\n" in self._body:
            block, self._body = self._body.split(b"\n\n", 1)
            self.frames.append(_frame(block.decode()))

    def _parse_head(self) -> bool:
        head, found, rest = self._raw.partition(b"\r\n\r\n")
        if not found:
            return False
        first, *lines = head.decode("latin1").split("\r\n")
        self.status = int(first.split()[1])
        pairs = (line.split(":", 1) for line in lines)
        self.headers = {name.lower(): value.strip() for name, value in pairs}
        self._raw = rest
        return True

    def _parse_chunks(self) -> None:
        while True:
            size_line, found, rest = self._raw.partition(b"\r\n")
            if not found:
                return
            size = int(size_line, 16)
            if len(rest) < size + 2:
                return
            self._body += rest[:size]
            self._raw = rest[size + 2 :]
            if size == 0:
                self.ended = True
                return


def _frame(block: str) -> Frame:
    pairs = (line.partition(":") for line in block.split("\n"))
    fields = {name: value.removeprefix(" ") for name, _, value in pairs if name}  # no comments
    data = json.loads(fields.get("data") or "{}")
    return Frame(fields.get("event", "message"), fields.get("id"), data)


@contextmanager
def stream(
    url: str,
    token: str,
    *,
    path: str = "/api/chat/events",
    watch: Sequence[str] = (),
    headers: Sequence[tuple[str, str]] = (),
    receive_buffer: int | None = None,
    authorization: bool = True,
) -> Iterator[Wire]:
    """Open a stream and close its socket at the end."""
    parts = urlsplit(url)
    query = urlencode([("watch", name) for name in watch])
    lines = [
        f"GET {path}?{query} HTTP/1.1",
        f"Host: {parts.netloc}",
        *([f"Authorization: Bearer {token}"] if authorization else []),
        *(f"{name}: {value}" for name, value in headers),
    ]
    with socket.socket() as sock:
        if receive_buffer is not None:
            # A small window: the server notices soon that nobody reads.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(10)
        sock.connect((parts.hostname, parts.port))
        sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        yield Wire(sock)
