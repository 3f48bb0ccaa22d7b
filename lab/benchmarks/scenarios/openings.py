"""Streams that open, wait, and return after a gap."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from lab.benchmarks.contenders import Contender, Server, running, subscribing
from lab.benchmarks.processes.client import quantile
from lab.benchmarks.results.record import Value
from lab.benchmarks.sizes import Sizes
from lab.rig.json_lines import Peer

Json = dict[str, Any]

# So many openings are on their way at once: as after a restart behind a proxy.
AT_ONCE = 200
OPENING_S = 120.0
WAITING_S = 120.0


def opening(contender: Contender, sizes: Sizes, count: int) -> dict[str, Value]:
    """Open many streams together; then let them wait: time, CPU, memory, threads."""
    sessions = sizes.stream_sessions
    with running(contender, sessions=sessions) as server:
        _open(server, [server.paths[0]], ready=server.ready, at_once=1)
        memory, cpu_s = _memory(server.process), server.process.cpu_s()
        streams = [(place % sessions, server.paths[place % sessions]) for place in range(count)]
        spec = server.spec(streams, deadline_s=OPENING_S, at_once=AT_ONCE)
        with subscribing(spec) as (_, opened):
            cpu_s = server.process.cpu_s() - cpu_s
            time.sleep(sizes.settle_s)
            ready = max(opened["ready"], 1)
            took = sorted(opened["took_ms"])
            return {
                "opened": opened["ready"],
                "asked": count,
                **_all(opened),
                "p50_ms": quantile(took, 0.5),
                "p99_ms": quantile(took, 0.99),
                "cpu_ms_each": cpu_s * 1000 / ready,
                "kib_each": (_memory(server.process) - memory) / ready / 1024,
                "threads": server.process.stats.num_threads(),
                "database_files": _database_files(server),
            }


def returning(contender: Contender, sizes: Sizes, clients: int, gap: int) -> dict[str, Value]:
    """Let clients of one session reconnect at once, each `gap` events behind."""
    with running(contender, sessions=1, history=sizes.history) as server:
        warm = server.behind[0].format(cursor=server.bases[0] - 1)
        # The first request of a process loads modules that no later one pays for.
        _open(server, [warm], ready=server.caught_up, at_once=1)
        path = server.behind[0].format(cursor=server.bases[0] - gap)
        cpu_before = server.process.cpu_s()
        opened = _open(server, [path] * clients, ready=server.caught_up, at_once=clients)
        cpu_s = server.process.cpu_s() - cpu_before
    took = sorted(opened["took_ms"])
    ready = max(opened["ready"], 1)
    return {
        "returned": opened["ready"],
        "asked": clients,
        "events_each": opened["events"] / ready,
        **_all(opened),
        "p50_ms": quantile(took, 0.5),
        "max_ms": quantile(took, 1.0),
        "cpu_ms_each": cpu_s * 1000 / ready,
    }


def _open(server: Server, paths: list[str], *, ready: str, at_once: int) -> Json:
    spec = server.spec([(0, path) for path in paths], deadline_s=WAITING_S, at_once=at_once)
    spec |= {"ready": ready, "keeps": False}
    with subscribing(spec) as (_, opened):
        return opened


def _all(opened: Json) -> dict[str, Value]:
    """Return the reason of the end, and the time for all streams when all are open."""
    found: dict[str, Value] = {"ended_by": opened["ended_by"]}
    return found | ({"all_ms": opened["total_ms"]} if "total_ms" in opened else {})


def _memory(process: Peer) -> int:
    return int(process.stats.memory_info().rss)


def _database_files(server: Server) -> int:
    """Return how often the database file is open: once for each connection."""
    files = [Path(file.path) for file in server.process.stats.open_files()]
    return sum(file.suffix == ".sqlite3" for file in files)
