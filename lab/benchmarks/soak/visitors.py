"""The visitors of a soak: streams that stay, and now and then one that leaves and returns.

A visitor returns with the last seq that it has seen, as a browser does, and checks that the events
after it are the next ones.
"""

from __future__ import annotations

import json
import random
import re
import resource
import selectors
import socket
import sys
import time
from dataclasses import dataclass
from typing import Any

from lab.rig.json_lines import say

Json = dict[str, Any]

READ_BYTES = 1 << 16
AT_ONCE = 50
OPENING_S = 240.0
EVENT = re.compile(rb"^id: [^:\n]+:(\d+)$", re.MULTILINE)
# Its end is the head that a snapshot stands for: what follows continues there.
CURSOR = re.compile(rb'"type":"session_snapshot".*?"cursor":(\d+)')


@dataclass(slots=True)
class Order:
    """The orders, on the first line."""

    port: int
    headers: dict[str, str]
    paths: list[str]
    behind: list[str]
    streams: int
    returns_per_s: float
    seconds: float


@dataclass(slots=True)
class Visitor:
    """One stream, and the last seq that came over it."""

    place: int
    sock: socket.socket | None = None
    cursor: int | None = None
    unread: bytes = b""
    is_live: bool = False
    events: int = 0
    gaps: int = 0

    def take(self, data: bytes) -> None:
        """Read the whole lines of the bytes that came."""
        lines, line_end, self.unread = (self.unread + data).rpartition(b"\n")
        for line in (lines + line_end).splitlines():
            if found := EVENT.match(line):
                self._note(int(found[1]))
            elif found := CURSOR.search(line):
                self.cursor, self.is_live = int(found[1]), True

    def _note(self, seq: int) -> None:
        self.events += 1
        self.gaps += self.cursor is not None and seq != self.cursor + 1
        self.cursor = seq


class Crowd:
    """All visitors, on one selector."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._selector = selectors.DefaultSelector()
        self._random = random.Random(1)
        self.visitors = [Visitor(number % len(order.paths)) for number in range(order.streams)]
        self.returns = 0
        self.lost = 0

    def open_all(self) -> int:
        """Open every stream, some at a time; return how many are live."""
        deadline = time.monotonic() + OPENING_S
        waiting = self.visitors[::-1]
        opening: list[Visitor] = []
        while (waiting or opening) and time.monotonic() < deadline:
            while waiting and len(opening) < AT_ONCE:
                opening.append(waiting.pop())
                self._open(opening[-1])
            self._receive(0.1)
            opening = [visitor for visitor in opening if not visitor.is_live]
        return sum(visitor.is_live for visitor in self.visitors)

    def stay(self) -> None:
        """Receive for as long as ordered; a random visitor returns now and then."""
        end = time.monotonic() + self._order.seconds
        due = time.monotonic()
        while (now := time.monotonic()) < end:
            while due <= now:
                due += self._random.expovariate(self._order.returns_per_s)
                visitor = self._random.choice(self.visitors)
                self._close(visitor)
                self._open(visitor)
                self.returns += 1
            self._receive(min(0.05, max(0.0, due - now)))

    def _open(self, visitor: Visitor) -> None:
        order = self._order
        path = order.paths[visitor.place]
        if visitor.cursor is not None:
            path = order.behind[visitor.place].format(cursor=visitor.cursor)
        head = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{order.port}"]
        head += [f"{name}: {value}" for name, value in order.headers.items()]
        sock = socket.create_connection(("127.0.0.1", order.port), timeout=30)
        sock.sendall("\r\n".join([*head, "Accept: text/event-stream", "\r\n"]).encode())
        sock.settimeout(0)
        visitor.sock, visitor.unread = sock, b""
        self._selector.register(sock, selectors.EVENT_READ, visitor)

    def _close(self, visitor: Visitor) -> None:
        if visitor.sock is not None:
            self._selector.unregister(visitor.sock)
            visitor.sock.close()
            visitor.sock = None

    def _receive(self, timeout_s: float) -> None:
        for key, _ in self._selector.select(timeout_s):
            visitor: Visitor = key.data
            if visitor.sock is None:
                continue
            try:
                data = visitor.sock.recv(READ_BYTES)
            except ConnectionResetError:
                data = b""
            if data:
                visitor.take(data)
            else:
                self.lost += 1
                self._close(visitor)
                self._open(visitor)


def main() -> None:
    """Open, say so, stay, and say what came."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    crowd = Crowd(Order(**json.loads(sys.stdin.readline())))
    say({"opened": crowd.open_all()})
    crowd.stay()
    say(
        {
            "returns": crowd.returns,
            "lost": crowd.lost,
            "events": sum(visitor.events for visitor in crowd.visitors),
            "gaps": sum(visitor.gaps for visitor in crowd.visitors),
        }
    )


if __name__ == "__main__":
    main()
