"""Turns of owners at a few places: no owner's queue keeps the places from the others."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict, deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    """Things that wait for a place, taken owner by owner in turn. Threads may share it.

    The server's own things, of the owner None, go first. An owner has all places but one at most:
    where there are several, the next owner never waits for a thing of the first to end.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._share = max(1, places - 1)
        self._lock = threading.Lock()
        self._waiting: OrderedDict[int | None, deque[T]] = OrderedDict()
        self._begun: Counter[int | None] = Counter()
        self._workers = 0

    def add(self, owner: int | None, thing: T) -> bool:
        """Let a thing wait; return whether a worker is to begin, for which `begin` is called."""
        with self._lock:
            self._waiting.setdefault(owner, deque()).append(thing)
            is_wanted = self._workers < self._places and self._next_owner() is not _NO_OWNER
            self._workers += is_wanted
            return is_wanted

    def begin(self) -> tuple[int | None, T] | None:
        """Return the next thing and its owner; None ends the worker."""
        with self._lock:
            owner = self._next_owner()
            if isinstance(owner, _NoOwner):
                self._workers -= 1
                return None
            things = self._waiting.pop(owner)
            thing = things.popleft()
            if things:  # behind the others
                self._waiting[owner] = things
            self._begun[owner] += 1
            return owner, thing

    def end(self, owner: int | None) -> None:
        """Note that a thing has ended."""
        with self._lock:
            self._begun[owner] -= 1
            if not self._begun[owner]:
                del self._begun[owner]

    def _next_owner(self) -> int | _NoOwner | None:
        if None in self._waiting:
            return None
        may_begin = (each for each in self._waiting if self._begun[each] < self._share)
        return next(may_begin, _NO_OWNER)


class _NoOwner:
    """The owner of no thing."""


_NO_OWNER = _NoOwner()
