"""The bodies of requests that have not arrived yet: in memory, and few of them.

A body is collected before its sender is known. So the bodies of all strangers together have a
budget, and one address has a part of it.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

MEGABYTE: Final = 1_000_000
TOTAL_BYTES: Final = 64 * MEGABYTE
BYTES_OF_AN_ADDRESS: Final = 16 * MEGABYTE


class Unfinished:
    """The bytes that unfinished bodies hold, by the address that they come from."""

    def __init__(self, total: int = TOTAL_BYTES, of_an_address: int = BYTES_OF_AN_ADDRESS) -> None:
        self._total = total
        self._of_an_address = of_an_address
        self._held: Counter[str] = Counter()
        self._sum = 0

    def take(self, address: str, size: int) -> bool:
        """Return whether there is room for size more bytes, and count them if so."""
        if self._sum + size > self._total or self._held[address] + size > self._of_an_address:
            return False
        self._held[address] += size
        self._sum += size
        return True

    def give_back(self, address: str, size: int) -> None:
        """Uncount bytes of a body that has arrived or was dropped."""
        self._sum -= size
        self._held[address] -= size
        if self._held[address] <= 0:
            del self._held[address]


unfinished: Final = Unfinished()
