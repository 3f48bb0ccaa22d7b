"""Failed log-ins, counted by minute and network: strangers cause no row for each attempt."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from sessions.core import addresses
from sessions.core.source import Source
from sessions.trail.record import Act, append, entry

# Of one minute; the attempts from further networks are counted together.
MAX_NETWORKS: Final = 200
OTHERS: Final = "other networks"


class Failures:
    """The attempts of the current minute in this process."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._minute = 0
        self._counts: dict[str, int] = {}

    def note(self, address: str) -> None:
        """Count one failed attempt; the first of a minute stores the minute before."""
        network = addresses.network(address)
        with self._lock:
            before = self._over()
            if network not in self._counts and len(self._counts) >= MAX_NETWORKS:
                network = OTHERS
            self._counts[network] = self._counts.get(network, 0) + 1
        _store(before)

    def flush(self, *, all_of_it: bool = False) -> None:
        """Store the counts of a minute that is over; all_of_it: those of the current one too."""
        with self._lock:
            counts = self._over()
            if all_of_it:
                counts, self._counts = counts or self._counts, {}
        _store(counts)

    def _over(self) -> dict[str, int]:
        """Return and forget the counts of another minute than the current one."""
        minute = int(self._clock() // 60)
        if minute == self._minute:
            return {}
        counts, self._counts, self._minute = self._counts, {}, minute
        return counts


def _store(counts: dict[str, int]) -> None:
    if counts:
        append(
            [
                entry(Act.LOG_IN_FAILED, source=Source(address=network), attempts=count)
                for network, count in counts.items()
            ]
        )


failures: Final = Failures()
