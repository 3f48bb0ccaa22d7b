"""Threads that are started before they are needed.

Without memory none can be started. Python even waits without end for a thread whose first step
found no memory: on an event loop, all sessions would wait with it.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Final

from asgiref.sync import ThreadSensitiveContext

# As many as asyncio would start one by one.
ASIDE: Final = min(32, (os.cpu_count() or 1) + 4)
# Requests that may be in a synchronous step at once before a thread is started for one.
REQUESTS: Final = 16
START_S: Final = 30.0


def started(count: int, name: str) -> ThreadPoolExecutor:
    """Return an executor whose threads run already."""
    executor = ThreadPoolExecutor(count, thread_name_prefix=name)
    # Each one waits for all: none of them does the work of two.
    everyone = threading.Barrier(count)
    for waiting in [executor.submit(everyone.wait, START_S) for _ in range(count)]:
        waiting.result()
    return executor


def start_aside(loop: asyncio.AbstractEventLoop) -> None:
    """Start the threads of a loop's asyncio.to_thread."""
    loop.set_default_executor(started(ASIDE, "aside"))


class RequestThreads:
    """A thread for the synchronous steps of each request; idle ones are kept."""

    def __init__(self) -> None:
        self._idle: deque[ThreadPoolExecutor] = deque()

    def start(self) -> None:
        """Start the threads that are kept."""
        self._idle.extend(started(1, "request") for _ in range(REQUESTS))

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[None]:
        """Let the synchronous steps inside run in one thread, one after the other."""
        thread = self._idle.pop() if self._idle else ThreadPoolExecutor(1, "request")
        try:
            async with ThreadSensitiveContext(executor=thread):
                yield
        finally:
            # Behind a step that still runs for a client that has left.
            thread.submit(self._give_back, thread)

    def _give_back(self, thread: ThreadPoolExecutor) -> None:
        if len(self._idle) < REQUESTS:
            self._idle.append(thread)
        else:
            thread.shutdown(wait=False)


request_threads: Final = RequestThreads()
