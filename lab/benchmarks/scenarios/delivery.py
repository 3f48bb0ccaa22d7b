"""Events to many streams: as fast as the log takes them, one at a time, or at a steady rate."""

from __future__ import annotations

import time
from typing import Any

import psutil

from lab.benchmarks.contenders import Contender, Server, running, subscribing
from lab.benchmarks.results.record import Value
from lab.benchmarks.sizes import Sizes

Json = dict[str, Any]

# From the last word of the publisher to the client's counts: a million stamps take a while.
COUNTING_S = 120.0
# Opening five hundred streams takes a peer long on a busy machine.
OPENING_S = 90.0


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


def flood(contender: Contender, sizes: Sizes) -> dict[str, Value]:
    """Send events to one session with many subscribers as fast as the log takes them."""
    order = {"count": sizes.flood_events, "bound_s": sizes.bound_s}
    with running(contender, sessions=1) as server:
        streams = [(0, server.paths[0])] * sizes.flood_subscribers
        return deliver(server, streams, ("flood", order), sizes, bound_s=sizes.bound_s)


def fanout(contender: Contender, sizes: Sizes) -> dict[str, Value]:
    """Send one event at a time to one session with many subscribers, which then rest."""
    order = {"rate": sizes.fanout_rate, "seconds": sizes.fanout_seconds}
    with running(contender, sessions=1) as server:
        streams = [(0, server.paths[0])] * sizes.flood_subscribers
        bound_s = sizes.fanout_seconds + 10
        return deliver(server, streams, ("pace", order), sizes, bound_s=bound_s)


def paced(contender: Contender, sizes: Sizes) -> dict[str, Value]:
    """Send events to many sessions with a few subscribers each, at a steady rate."""
    order = {"rate": sizes.paced_rate, "seconds": sizes.paced_seconds}
    with running(contender, sessions=sizes.paced_sessions) as server:
        streams = list(enumerate(server.paths)) * sizes.paced_subscribers
        bound_s = sizes.paced_seconds + 10
        return deliver(server, streams, ("pace", order), sizes, bound_s=bound_s)


def deliver(
    server: Server,
    streams: list[tuple[int, str]],
    call: tuple[str, Json],
    sizes: Sizes,
    *,
    bound_s: float,
) -> dict[str, Value]:
    """Open the streams, let the server's publisher do a call, and count what arrives."""
    deadline_s = max(bound_s + sizes.settle_s, OPENING_S)
    with subscribing(server.spec(streams, deadline_s=deadline_s)) as (client, opened):
        if opened["ready"] != len(streams):
            raise RuntimeError(f"the server opened {opened['ready']} of {len(streams)} streams")
        time.sleep(sizes.settle_s)
        cpu_before, machine = server.process.cpu_s(), Machine()
        client_before = client.cpu_s()
        function, arguments = call
        published = server.process.call(function, within_s=bound_s + 60, **arguments)
        client.tell({"counts": published["counts"], "bases": server.bases})
        received = client.hear(within_s=deadline_s + 60)
        server_cpu_s = server.process.cpu_s() - cpu_before
        others = machine.share_of_others(server_cpu_s + client.cpu_s() - client_before)
        counted = client.hear(within_s=COUNTING_S) | received
    expected = sum(published["counts"][channel] for channel, _ in streams)
    return counts_of(counted, published["counts"], expected) | {
        "server_cpu_s": server_cpu_s,
        "cpu_us_per_delivery": server_cpu_s * 1e6 / max(counted["delivered"], 1),
        "others_percent": 100 * others,
    }


def counts_of(counted: Json, appended: list[int], expected: int) -> dict[str, Value]:
    """Return the client's counts as values of a run."""
    return {
        "appended": sum(appended),
        "expected": expected,
        "delivered": counted["delivered"],
        "per_s": counted["delivered"] / max(counted["seconds"], 1e-9),
        "p50_ms": counted["p50_ms"],
        "p99_ms": counted["p99_ms"],
        "skipped": counted["skipped"],
        "missing": counted["missing"],
        "repeated": counted["repeated"],
        "client_cpu_s": counted["client_cpu_s"],
        "ended_by": counted["ended_by"],
    }
