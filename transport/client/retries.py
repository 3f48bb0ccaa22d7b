"""The waits between the connections of a stream."""

from __future__ import annotations

from random import Random
from typing import Final

from transport.client.clock import backoff_s
from transport.client.connection import Loss

# So often a connection is replaced at once before one has proved itself; then with delays.
MAX_AT_ONCE: Final = 2


class Retries:
    """The waits between connections."""

    def __init__(self, random: Random) -> None:
        # Over so long the clients of this server come back when all of them lose it at once.
        self.spread_s = 0.0
        self._random = random
        self._attempt = 0
        self._at_once = 0

    def forget(self) -> None:
        """Begin with the first delay again: a connection has proved itself."""
        self._attempt = self._at_once = 0

    def hurried(self) -> None:
        """Begin with the first delay again: a person, or the network, has asked for a try."""
        self._attempt = 0

    def delay_after(self, loss: Loss, *, was_live: bool) -> float:
        """Return the wait before the next connection, in seconds."""
        is_at_once = loss.at_once and self._at_once < MAX_AT_ONCE
        delay = 0.0 if is_at_once else backoff_s(self._attempt, self._random)
        if is_at_once:
            self._at_once += 1
        else:
            self._attempt += 1
        if was_live and not loss.is_own:
            delay += self._random.random() * self.spread_s
        return max(delay, loss.at_least_s)
