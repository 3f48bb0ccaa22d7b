"""Spare memory: without any, no request for a stop could be read.

A limit on the memory of this process (ulimit, a service manager) makes allocations fail. The block
held here is never written to, so it costs address space and no memory.
"""

from __future__ import annotations

import asyncio
import logging
import mmap
import threading
from typing import Any, Final

logger = logging.getLogger(__name__)

SPARE_BYTES: Final = 32 * 1024 * 1024
# Beside the block: with less than this to be had, memory is short.
ROOM_BYTES: Final = 8 * 1024 * 1024
LOOK_EVERY_S: Final = 1.0


class SpareMemory:
    """A block of memory that is let go when there is no other, and taken back when there is.

    Threads may share it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: mmap.mmap | None = None
        self._is_short = False

    @property
    def is_short(self) -> bool:
        """Whether the block was let go: what it gave is for the ways out alone."""
        return self._is_short

    def let_go(self) -> bool:
        """Give the block back, for an allocation has failed; return whether it was held."""
        with self._lock:
            if self._held is None:
                return False
            self._held.close()
            self._held = None
            self._is_short = True
            logger.error("the server has no memory left: only ways out are served")
            return True

    def look(self) -> None:
        """Let the block go when memory is short, take it back when there is some again."""
        if self._held is not None:
            if not _can_have(ROOM_BYTES):
                self.let_go()
        elif _can_have(SPARE_BYTES + ROOM_BYTES):
            self._take()

    async def watch(self) -> None:
        """Look again and again, until cancelled; let go when a callback of this loop finds none."""
        asyncio.get_running_loop().set_exception_handler(self._callback_failed)
        while True:
            self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    def _callback_failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if isinstance(context.get("exception"), MemoryError):
            self.let_go()
        loop.default_exception_handler(context)

    def _take(self) -> None:
        with self._lock:
            self._held = _block(SPARE_BYTES)
            if self._held is not None and self._is_short:
                self._is_short = False
                logger.warning("the server has memory again")


def _can_have(size: int) -> bool:
    block = _block(size)
    if block is not None:
        block.close()
    return block is not None


def _block(size: int) -> mmap.mmap | None:
    try:
        # Private, so that each kind of limit counts it.
        return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except (OSError, MemoryError):
        return None


spare_memory: Final = SpareMemory()
