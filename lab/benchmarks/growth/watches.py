"""Cost over the watches of one stream: opening it, and one event to each of its sessions."""

from __future__ import annotations

import json
from collections.abc import Iterator

from lab.benchmarks.contenders import OURS, running, subscribing
from lab.benchmarks.processes.client import quantile
from lab.benchmarks.results.record import Run
from lab.benchmarks.sizes import Sizes

OPENING_S = 60.0


def measure(sizes: Sizes) -> Iterator[Run]:
    """Open streams one after the other, each with so many watches, up to their last snapshot."""
    with running(OURS, sessions=max(sizes.watch_counts)) as server:
        for count in sizes.watch_counts:
            chosen = server.paths[:count]
            path = chosen[0] + "".join(f"&{one.partition('?')[2]}" for one in chosen[1:])
            # The last watch's snapshot comes last.
            session = chosen[-1].partition("=")[2]
            spec = server.spec([(0, path)] * sizes.watch_streams, deadline_s=OPENING_S, at_once=1)
            spec["ready"] = f'"type":"session_snapshot","sessionId":{json.dumps(session)}'
            cpu_s = server.process.cpu_s()
            with subscribing(spec) as (_, opened):
                cpu_s = server.process.cpu_s() - cpu_s
            if opened["ready"] != sizes.watch_streams:
                raise RuntimeError(f"{opened['ready']} of {sizes.watch_streams} streams are ready")
            yield Run(
                "open a stream",
                OURS.name,
                1,
                {"size": count, "ms": quantile(sorted(opened["took_ms"]), 0.5)},
            )
            ms = cpu_s * 1000 / sizes.watch_streams
            yield Run("CPU of an opening", OURS.name, 1, {"size": count, "ms": ms})
