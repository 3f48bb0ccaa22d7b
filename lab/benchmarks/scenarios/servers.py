"""The same loads on two event loops: each measure of work by one name, beside its CPU."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from lab.benchmarks.contenders import Contender
from lab.benchmarks.results.record import Value
from lab.benchmarks.scenarios import delivery, openings, requests
from lab.benchmarks.sizes import Sizes

Load = Callable[[Contender], dict[str, Value]]

SHOWN: Final = ("per_s", "p50_ms", "p99_ms", "ended_by")


def loads(sizes: Sizes) -> dict[str, Load]:
    """Return the loads: deliveries, openings, receipts and reads."""
    found: dict[str, Load] = {
        "one event at a time, a delivery": partial(delivery.fanout, sizes=sizes),
        "everyday streaming, a delivery": partial(delivery.paced, sizes=sizes),
    }
    for count in sizes.openings[:1]:
        found[f"one of {count:,} streams opened"] = partial(
            openings.opening, sizes=sizes, count=count
        )
    for case, kind, at_once in (
        ("GET healthz", "healthz", 1),
        ("GET a snapshot", "snapshot", 1),
        ("send, 8 sessions at once", "send", 8),
    ):
        found[case] = partial(requests.requesting, sizes=sizes, kind=kind, at_once=at_once)
    return {case: partial(_by_one_name, load) for case, load in found.items()}


def _by_one_name(load: Load, contender: Contender) -> dict[str, Value]:
    """Return the values of a load with the CPU of each piece of its work in µs."""
    values = load(contender)
    shown = {key: values[key] for key in SHOWN if key in values}
    if "cpu_us_per_delivery" in values:
        return shown | {"cpu_us_each": values["cpu_us_per_delivery"]}
    return shown | {"cpu_us_each": float(values["cpu_ms_each"]) * 1000}
