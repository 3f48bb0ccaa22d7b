"""The scenarios for a contender, and their measurements."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from lab.benchmarks.client import quantile
from lab.benchmarks.contenders import Contender, Server, running, subscribing
from lab.rig.json_lines import Peer

Json = dict[str, Any]

# From the last word of the publisher to the client's counts: a million stamps take a while.
COUNTING_S = 120.0


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything; `make bench` runs the defaults, a test runs small ones."""

    rounds: int = 3
    bound_s: float = 60.0
    # What a server gets to come to rest after the openings.
    settle_s: float = 3.0
    flood_subscribers: int = 500
    flood_events: int = 2000
    paced_sessions: int = 20
    paced_subscribers: int = 5
    paced_rate: float = 50.0
    paced_seconds: float = 10.0
    returning: int = 50
    gaps: tuple[int, ...] = (200, 6000)
    history: int = 6300
    idle_streams: int = 1000
    idle_sessions: int = 20
    singles: int = 1000
    grouped: int = 20_000
    receipts: int = 1000
    neighbour_deltas: int = 1_000_000
    neighbour_words: int = 300


class Machine:
    """The work of all processors since this was made."""

    def __init__(self) -> None:
        self._before = psutil.cpu_times()

    def share_of_others(self, own_s: float) -> float:
        """Return the share of all processor time that was not own_s, and not idle."""
        passed = [now - then for now, then in zip(psutil.cpu_times(), self._before, strict=True)]
        spent = dict(zip(self._before._fields, passed, strict=True))
        whole = sum(passed) - spent.get("guest", 0) - spent.get("guest_nice", 0)
        busy = whole - spent["idle"] - spent.get("iowait", 0)
        return float(max(0.0, busy - own_s) / max(whole, 1e-9))


@dataclass(slots=True)
class Delivery:
    """One run of (a) or (b)."""

    contender: str
    appended: int
    expected: int
    refused: int
    server_cpu_s: float
    # The share of the machine that neither server nor client used, and others did.
    others: float
    counted: Json = field(default_factory=dict)

    @property
    def deliveries_per_s(self) -> float:
        """Deliveries over the time from the first append to the last receipt."""
        return float(self.counted["delivered"] / max(self.counted["seconds"], 1e-9))


def flood(contender: Contender, sizes: Sizes) -> Delivery:
    """(a) One session, many subscribers, events as fast as the log takes them."""
    order = {"count": sizes.flood_events, "bound_s": sizes.bound_s}
    with running(contender, sessions=1) as server:
        streams = [(0, server.paths[0])] * sizes.flood_subscribers
        return _deliver(
            server,
            streams,
            ("flood", order),
            contender=contender.name,
            bound_s=sizes.bound_s,
            settle_s=sizes.settle_s,
        )


def paced(contender: Contender, sizes: Sizes) -> Delivery:
    """(b) Many sessions with a few subscribers each, at a steady rate."""
    order = {"rate": sizes.paced_rate, "seconds": sizes.paced_seconds}
    with running(contender, sessions=sizes.paced_sessions) as server:
        streams = list(enumerate(server.paths)) * sizes.paced_subscribers
        bound_s = sizes.paced_seconds + 10
        return _deliver(
            server,
            streams,
            ("pace", order),
            contender=contender.name,
            bound_s=bound_s,
            settle_s=sizes.settle_s,
        )


def _deliver(
    server: Server,
    streams: list[tuple[int, str]],
    call: tuple[str, Json],
    *,
    contender: str,
    bound_s: float,
    settle_s: float,
) -> Delivery:
    with subscribing(server.spec(streams, deadline_s=bound_s + settle_s)) as (
        client,
        opened,
    ):
        if opened["ready"] != len(streams):
            raise RuntimeError(f"{contender} opened {opened['ready']} of {len(streams)}")
        time.sleep(settle_s)
        cpu_before, machine = server.process.cpu_s(), Machine()
        client_before = client.cpu_s()
        function, arguments = call
        published = server.process.call(function, within_s=bound_s + 60, **arguments)
        client.tell({"counts": published["counts"], "bases": server.bases})
        received = client.hear(within_s=bound_s + 60)
        server_cpu_s = server.process.cpu_s() - cpu_before
        others = machine.share_of_others(server_cpu_s + client.cpu_s() - client_before)
        counted = client.hear(within_s=COUNTING_S) | received
    return Delivery(
        contender=contender,
        appended=sum(published["counts"]),
        expected=sum(published["counts"][channel] for channel, _ in streams),
        refused=published["refused"],
        server_cpu_s=server_cpu_s,
        others=others,
        counted=counted,
    )


@dataclass(frozen=True, slots=True)
class Return:
    """One run of (c): clients that come back at once."""

    contender: str
    gap: int
    asked: int
    returned: int
    events_each: float
    p50_ms: float
    max_ms: float
    total_ms: float
    server_cpu_ms_each: float


def comeback(contender: Contender, sizes: Sizes, gap: int) -> Return:
    """(c) Clients reconnect at once, each `gap` events behind."""
    with running(contender, sessions=1, history=sizes.history) as server:
        warm = server.behind[0].format(cursor=server.bases[0] - 1)
        # The first request of a process loads what no later one pays for.
        _open(server, [warm], at_once=1)
        path = server.behind[0].format(cursor=server.bases[0] - gap)
        cpu_before = server.process.cpu_s()
        opened = _open(server, [path] * sizes.returning, at_once=sizes.returning)
        cpu_s = server.process.cpu_s() - cpu_before
    took = sorted(opened["took_ms"])
    return Return(
        contender=contender.name,
        gap=gap,
        asked=sizes.returning,
        returned=opened["ready"],
        events_each=opened["events"] / max(opened["ready"], 1),
        p50_ms=quantile(took, 0.5),
        max_ms=quantile(took, 1.0),
        total_ms=opened["total_ms"],
        server_cpu_ms_each=cpu_s * 1000 / max(opened["ready"], 1),
    )


def _open(server: Server, paths: list[str], *, at_once: int) -> Json:
    spec = server.spec([(0, path) for path in paths], deadline_s=60, at_once=at_once)
    spec["ready"] = server.caught_up
    with subscribing(spec) as (_, opened):
        return opened


@dataclass(frozen=True, slots=True)
class Idle:
    """One run of (e)."""

    contender: str
    streams: int
    opened: int
    open_s: float
    kib_each: float
    threads: int
    database_files: int


def idle(contender: Contender, sizes: Sizes) -> Idle:
    """(e) Streams that wait: memory, threads and database connections that they hold."""
    with running(contender, sessions=sizes.idle_sessions) as server:
        _open_one(server, sizes)
        before = _memory(server.process)
        streams = [
            (place % sizes.idle_sessions, server.paths[place % sizes.idle_sessions])
            for place in range(sizes.idle_streams)
        ]
        with subscribing(server.spec(streams, deadline_s=120)) as (_, opened):
            time.sleep(sizes.settle_s)
            stats = server.process.stats
            return Idle(
                contender=contender.name,
                streams=sizes.idle_streams,
                opened=opened["ready"],
                open_s=opened["total_ms"] / 1000,
                kib_each=(_memory(server.process) - before) / max(opened["ready"], 1) / 1024,
                threads=stats.num_threads(),
                database_files=_database_files(server),
            )


def _open_one(server: Server, sizes: Sizes) -> None:
    with subscribing(server.spec([(0, server.paths[0])], deadline_s=30)):
        time.sleep(sizes.settle_s)


def _memory(process: Peer) -> int:
    return int(process.stats.memory_info().rss)


def _database_files(server: Server) -> int:
    """Return how often the database file is open: once for each connection."""
    files = [Path(file.path) for file in server.process.stats.open_files()]
    return sum(file.suffix == ".sqlite3" for file in files)
