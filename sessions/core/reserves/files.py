"""Spare descriptors: without one no process of an agent is found."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final


class SpareFiles:
    """Descriptors kept for the moment in which no other is free: to look for an agent's processes.

    Threads may share it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._borrowers = 0
        self._wanted = 0
        self._held: list[int] = []

    def keep(self, count: int) -> None:
        """Hold so many from now on."""
        with self._lock:
            self._wanted = count
            self._hold()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Let the work inside have them."""
        with self._lock:
            self._borrowers += 1
            while self._held:
                os.close(self._held.pop())
        try:
            yield
        finally:
            with self._lock:
                self._borrowers -= 1
                if not self._borrowers:
                    self._hold()

    def _hold(self) -> None:
        with suppress(OSError):
            while len(self._held) < self._wanted:
                self._held.append(os.open(os.devnull, os.O_RDONLY))


spare_files: Final = SpareFiles()
