"""The requests of people: one process, a kept connection for each that asks at once."""

from __future__ import annotations

import http.client
import itertools
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from lab.benchmarks.processes.client import quantile
from lab.rig.json_lines import say

Json = dict[str, Any]
TIMEOUT_S = 60.0
WARM_UP = 5


@dataclass(slots=True)
class Order:
    """The orders, on the first line. requests: asked in turn; NUMBER in a body is replaced."""

    port: int
    headers: dict[str, str]
    requests: list[Json]
    count: int
    at_once: int


class Asker:
    """One kept connection."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._connection = http.client.HTTPConnection("127.0.0.1", order.port, timeout=TIMEOUT_S)
        self._connection.connect()

    def ask(self, request: Json, number: str) -> float:
        """Make one request; return how many ms it took. Raises RuntimeError for a refusal."""
        body = json.dumps(request["body"]).replace("NUMBER", number) if request["body"] else None
        headers = self._order.headers | ({"Content-Type": "application/json"} if body else {})
        began = time.monotonic()
        self._connection.request(request["method"], request["path"], body, headers)
        response = self._connection.getresponse()
        answer = response.read()
        took_ms = (time.monotonic() - began) * 1000
        if response.status >= http.client.BAD_REQUEST:
            raise RuntimeError(f"{request['path']} answers {response.status}: {answer[:300]!r}")
        return took_ms


def ask_all(order: Order) -> Json:
    """Make all requests; return how long they took."""
    askers = [Asker(order) for _ in range(order.at_once)]
    for number in range(WARM_UP):
        askers[0].ask(order.requests[number % len(order.requests)], f"warm-{number}")
    share = order.count // order.at_once

    def run(place: int) -> list[float]:
        # Each has sessions of its own, as persons have.
        mine = itertools.cycle(order.requests[place :: order.at_once])
        return [askers[place].ask(next(mine), f"{place}-{number}") for number in range(share)]

    began = time.monotonic()
    with ThreadPoolExecutor(order.at_once) as pool:
        took = sorted(itertools.chain.from_iterable(pool.map(run, range(order.at_once))))
    return {
        "per_s": len(took) / (time.monotonic() - began),
        "p50_ms": quantile(took, 0.5),
        "p99_ms": quantile(took, 0.99),
    }


def main() -> None:
    """Obey one order."""
    say(ask_all(Order(**json.loads(sys.stdin.readline()))))


if __name__ == "__main__":
    main()
