"""Things at once: a limit for each key, such as the searches of one user."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable


class AtOnce:
    """Counts the things of each key that are under way. limit: asked at each begin; 0: none."""

    def __init__(self, limit: Callable[[], int]) -> None:
        self._limit = limit
        self._under_way: Counter[Hashable] = Counter()

    def begin(self, key: Hashable) -> bool:
        """Return whether one more may begin, and count it if so."""
        limit = self._limit()
        if limit and self._under_way[key] >= limit:
            return False
        self._under_way[key] += 1
        return True

    def end(self, key: Hashable) -> None:
        """Count one less."""
        self._under_way[key] -= 1
        if self._under_way[key] <= 0:
            del self._under_way[key]

    def __len__(self) -> int:
        return len(self._under_way)
