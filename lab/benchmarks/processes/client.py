"""The subscribers: one process that keeps every byte with its moment, and counts afterwards.

While events flow it only receives: parsing a million frames meanwhile would make it the
bottleneck of the faster server. Run as a Peer of lab.rig.json_lines; see Spec for its orders.
"""

from __future__ import annotations

import gc
import json
import os
import re
import resource
import selectors
import socket
import sys
import time
from array import array
from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

from lab.benchmarks.processes.stamps import STAMP, mark_of
from lab.rig.json_lines import say

Json = dict[str, Any]

READ_BYTES = 1 << 18
# The last event of a stream is within the last bytes that arrive.
TAIL_BYTES = 4096
SKIPPED = re.compile(rb'"type":"replay_skipped".*?"from":(\d+),"to":(\d+)')
EVENT_ID = re.compile(rb"^id: ", re.MULTILINE)


@dataclass(slots=True)
class Spec:
    """The client's orders, on its first line.

    streams: (channel, path) pairs. ready: bytes that end a stream's opening. at_once: how many
    openings may be in flight. deadline_s: for the openings together, and again for the events.
    """

    port: int
    headers: dict[str, str]
    streams: list[tuple[int, str]]
    ready: str
    at_once: int
    deadline_s: float
    quiet_s: float = 5.0
    # Whether the client keeps all bytes, to count events later; else it counts ids as they come.
    keeps: bool = True
    # The ports of several processes, which the streams take in turn.
    ports: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Subscriber:
    """One stream and everything that came over it."""

    channel: int
    path: str
    port: int = 0
    sock: socket.socket | None = None
    asked_at: int = 0
    ready_at: int = 0
    is_closed: bool = False
    has_last: bool = False
    tail: bytes = b""
    keeps: bool = True
    # Without the bytes: the end of its opening, whether it came, and the ids so far.
    mark: bytes = b""
    has_mark: bool = False
    ids: int = 0
    received: bytearray = field(default_factory=bytearray)
    # received[: ends[i]] had arrived at moments[i].
    ends: array[int] = field(default_factory=lambda: array("q"))
    moments: array[int] = field(default_factory=lambda: array("q"))

    def take(self, data: bytes, now: int) -> None:
        """Take the bytes that have just arrived."""
        if not self.keeps:
            # The last line may be unfinished: it is counted with the next bytes.
            unread = bytes(self.received) + data
            self.has_mark = self.has_mark or self.mark in unread
            lines, _, rest = unread.rpartition(b"\n")
            self.ids += len(EVENT_ID.findall(lines))
            self.received = bytearray(rest)
            return
        self.received += data
        self.ends.append(len(self.received))
        self.moments.append(now)
        self.tail = (self.tail + data if len(data) < TAIL_BYTES else data)[-TAIL_BYTES:]


class Crowd:
    """All subscribers, on one selector."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.subscribers = [
            Subscriber(channel, path, port, keeps=spec.keeps, mark=spec.ready.encode())
            for (channel, path), port in zip(
                spec.streams, cycle(spec.ports or [spec.port]), strict=False
            )
        ]
        self._selector = selectors.DefaultSelector()
        self.last_read_at = time.monotonic_ns()

    def open_all(self) -> Json:
        """Open every stream, at_once of them at a time; return how long each took.

        total_ms is there when all are open: with the deadline as its end it would be no measure.
        """
        ready = self.spec.ready.encode()
        waiting = self.subscribers[::-1]
        opening: set[int] = set()
        deadline = time.monotonic() + self.spec.deadline_s
        while (waiting or opening) and time.monotonic() < deadline:
            while waiting and len(opening) < self.spec.at_once:
                subscriber = waiting.pop()
                self._ask(subscriber)
                opening.add(id(subscriber))
            for subscriber in self._receive(0.2):
                if subscriber.is_closed or self._is_ready(subscriber, ready):
                    opening.discard(id(subscriber))
        return self._opened()

    def _opened(self) -> Json:
        asked = [s for s in self.subscribers if s.asked_at]
        took = [(s.ready_at - s.asked_at) / 1e6 for s in asked if s.ready_at]
        events = [s.ids or len(EVENT_ID.findall(s.received)) for s in asked]
        opened: Json = {"ready": len(took), "took_ms": took, "events": sum(events)}
        if len(took) < len(self.subscribers):
            return opened | {"ended_by": "deadline"}
        total_ms = (self.last_read_at - min(s.asked_at for s in asked)) / 1e6
        return opened | {"ended_by": "all", "total_ms": total_ms}

    def _is_ready(self, subscriber: Subscriber, ready: bytes) -> bool:
        if not subscriber.ready_at and (subscriber.has_mark or ready in subscriber.received):
            subscriber.ready_at = self.last_read_at
        return bool(subscriber.ready_at)

    def _ask(self, subscriber: Subscriber) -> None:
        sock = socket.create_connection(("127.0.0.1", subscriber.port), timeout=10)
        head = [f"GET {subscriber.path} HTTP/1.1", f"Host: 127.0.0.1:{subscriber.port}"]
        head += [f"{name}: {value}" for name, value in self.spec.headers.items()]
        subscriber.asked_at = time.monotonic_ns()
        sock.sendall("\r\n".join([*head, "Accept: text/event-stream", "\r\n"]).encode())
        sock.settimeout(0)
        subscriber.sock = sock
        self._selector.register(sock, selectors.EVENT_READ, subscriber)

    def _receive(self, timeout_s: float) -> list[Subscriber]:
        """Read once from every stream that has something; return those streams."""
        touched = []
        for key, _ in self._selector.select(timeout_s):
            subscriber = key.data
            if subscriber is None:
                continue  # stdin: its reader is `receive_all`
            try:
                data = subscriber.sock.recv(READ_BYTES)
            except ConnectionResetError:
                data = b""
            self.last_read_at = time.monotonic_ns()
            if data:
                subscriber.take(data, self.last_read_at)
            else:
                subscriber.is_closed = True
                self._selector.unregister(subscriber.sock)
            touched.append(subscriber)
        return touched

    def receive_all(self) -> tuple[Json, str]:
        """Receive until all have the last event, or silence, or the deadline.

        Return the publisher's report ({"counts": [per channel]}) and the reason of the end.
        """
        published: Json | None = None
        marks: list[bytes] = []
        self._selector.register(sys.stdin, selectors.EVENT_READ, None)
        deadline = time.monotonic() + self.spec.deadline_s
        missing = {id(s) for s in self.subscribers if not s.is_closed}
        while time.monotonic() < deadline:
            touched = self._receive(0.1)
            if published is None and _stdin_speaks():
                published = json.loads(sys.stdin.readline())
                marks = [mark_of(count).encode() for count in published["counts"]]
                touched = self.subscribers
            if published is None:
                continue
            for subscriber in touched:
                if subscriber.is_closed or marks[subscriber.channel] in subscriber.tail:
                    missing.discard(id(subscriber))
            if not missing:
                return published, "all"
            if time.monotonic_ns() - self.last_read_at > self.spec.quiet_s * 1e9:
                return published, "silence"
        # The publisher is bounded as well, and tells how far it came.
        return published or json.loads(sys.stdin.readline()), "deadline"

    def close(self) -> None:
        """Close every stream."""
        for subscriber in self.subscribers:
            if subscriber.sock is not None:
                subscriber.sock.close()


def _stdin_speaks() -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(sys.stdin, selectors.EVENT_READ)
        return bool(selector.select(0))


@dataclass(slots=True)
class Tally:
    """Exact counts over all subscribers."""

    delivered: int = 0
    repeated: int = 0
    disordered: int = 0
    skipped: int = 0
    missing: int = 0
    first_ns: int = 0
    last_ns: int = 0
    bytes: int = 0
    reads: int = 0
    latencies: array[int] = field(default_factory=lambda: array("q"))
    # Of each latency the number of its event.
    numbers: array[int] = field(default_factory=lambda: array("q"))

    def add(self, subscriber: Subscriber, *, count: int, base: int) -> None:
        """Count one stream. count: events 1..count were appended, event n with seq base + n."""
        received = bytes(subscriber.received)
        seen = bytearray(count + 1)
        newest = 0
        for match in STAMP.finditer(received):
            number, sent = int(match[1]), int(match[2])
            if number > count or seen[number]:
                self.repeated += 1
                continue
            self.disordered += number < newest
            seen[number] = 1
            newest = number
            arrived = subscriber.moments[bisect_left(subscriber.ends, match.end())]
            self.latencies.append(arrived - sent)
            self.numbers.append(number)
            self.first_ns = min(self.first_ns or sent, sent)
            self.last_ns = max(self.last_ns, arrived)
        announced = _skipped_numbers(received, base)
        absent = {number for number in range(1, count + 1) if not seen[number]}
        self.delivered += sum(seen)
        self.skipped += len(absent & announced)
        self.missing += len(absent - announced)
        self.bytes += len(received)
        self.reads += len(subscriber.ends)

    def result(self) -> Json:
        """Return the counts, and the quantiles of the latency in ms."""
        names = ("delivered", "repeated", "disordered", "skipped", "missing", "bytes", "reads")
        ordered = sorted(self.latencies)
        counts = {name: getattr(self, name) for name in names}
        return counts | {
            "seconds": (self.last_ns - self.first_ns) / 1e9,
            "p50_ms": quantile(ordered, 0.50) / 1e6,
            "p99_ms": quantile(ordered, 0.99) / 1e6,
            "max_ms": quantile(ordered, 1.0) / 1e6,
        }

    def phases(self, ranges: dict[str, list[int]]) -> Json:
        """Return the deliveries and quantiles of ranges of events."""
        pairs = list(zip(self.numbers, self.latencies, strict=True))
        found: Json = {}
        for name, (first, last) in ranges.items():
            ordered = sorted(took for number, took in pairs if first <= number <= last)
            found[name] = {
                "delivered": len(ordered),
                "p50_ms": quantile(ordered, 0.50) / 1e6,
                "p99_ms": quantile(ordered, 0.99) / 1e6,
            }
        return found


def _skipped_numbers(received: bytes, base: int) -> set[int]:
    numbers: set[int] = set()
    for match in SKIPPED.finditer(received):
        numbers.update(range(int(match[1]) - base, int(match[2]) - base + 1))
    return numbers


def quantile(ordered: list[int] | list[float], share: float) -> float:
    """Return the value below which `share` of an ordered list lies, 0 of an empty one."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def main() -> None:
    """Open, receive, count; one line out after the opening and one at the end."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    spec = Spec(**json.loads(sys.stdin.readline()))
    # Nothing here is cyclic, and a collection over a million objects is a pause of its own.
    gc.disable()
    crowd = Crowd(spec)
    say(crowd.open_all())
    published, ended_by = crowd.receive_all()
    used = os.times()
    # Said before the counting, which is not measured.
    say({"ended_by": ended_by, "client_cpu_s": used.user + used.system})
    crowd.close()
    tally = Tally()
    for subscriber in crowd.subscribers:
        count, base = (
            published["counts"][subscriber.channel],
            published["bases"][subscriber.channel],
        )
        tally.add(subscriber, count=count, base=base)
    dropped = sum(subscriber.is_closed for subscriber in crowd.subscribers)
    phases = tally.phases(published.get("phases", {}))
    say(tally.result() | {"dropped": dropped, "phases": phases})


if __name__ == "__main__":
    main()
