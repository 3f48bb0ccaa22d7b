"""One soak: many streams on many sessions, random returns, and looks at the server meanwhile."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

from lab.benchmarks.contenders import OURS, Server, environment, running
from lab.benchmarks.results.record import Fact, Run
from lab.benchmarks.sizes import Sizes
from lab.benchmarks.soak import gauges
from lab.rig.folders import temporary_folder
from lab.rig.json_lines import Peer

Json = dict[str, Any]

OPENING_S: Final = 300.0
SAMPLES: Final = 120
DATABASE: Final = "backstay.sqlite3"


def measure(sizes: Sizes) -> Iterator[Run | Fact]:
    """Yield a run for each gauge, one for the visitors, and the samples as a table."""
    with running(OURS, sessions=sizes.soak_sessions) as server, temporary_folder() as folder:
        visitors = Peer(
            "lab.benchmarks.soak.visitors",
            environment=environment(folder),
            log=folder / "visitors.log",
        )
        try:
            samples, seen = _soak(server, visitors, sizes)
        finally:
            visitors.close()
    for gauge, values in gauges.verdicts(samples).items():
        yield Run(gauge, OURS.name, 1, values)
    yield Run("visitors", OURS.name, 1, seen)
    yield Fact("Samples over the time", _as_text(samples))


def _soak(server: Server, visitors: Peer, sizes: Sizes) -> tuple[list[dict[str, float]], Json]:
    visitors.tell(
        {
            "port": server.port,
            "headers": server.headers,
            "paths": server.paths,
            "behind": server.behind,
            "streams": sizes.soak_streams,
            "returns_per_s": sizes.soak_returns_per_s,
            "seconds": sizes.soak_seconds,
        }
    )
    opened = visitors.hear(within_s=OPENING_S)
    if opened["opened"] != sizes.soak_streams:
        raise RuntimeError(f"{opened['opened']} of {sizes.soak_streams} streams are open")
    with ThreadPoolExecutor(1) as pool:
        # The publisher ends before the visitors do: no return meets a closed server.
        order = {"rate": sizes.soak_rate, "seconds": sizes.soak_seconds}
        pacing: Future[Json] = pool.submit(
            lambda: server.process.call("pace", within_s=sizes.soak_seconds + 120, **order)
        )
        samples = []
        while not pacing.done():
            samples.append(gauges.read(server.process.stats, server.folder / DATABASE))
            time.sleep(sizes.soak_seconds / SAMPLES)
        published = pacing.result()
    seen: Json = visitors.hear(within_s=120)
    return samples, seen | {"appended": sum(published["counts"])}


def _as_text(samples: list[dict[str, float]]) -> str:
    """Return about twenty of the samples as lines."""
    step = max(1, len(samples) // 20)
    lines = ["sample  " + "  ".join(gauges.ALLOWED)]
    for number in range(0, len(samples), step):
        values = "  ".join(f"{samples[number][gauge]:,.0f}" for gauge in gauges.ALLOWED)
        lines.append(f"{number:6}  {values}")
    return "\n".join(lines)
