"""The time of a processor that a call takes, without garbage collections of the process."""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def without_collections() -> Iterator[None]:
    """Let no garbage be collected: a collection goes through all that the process holds."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def seconds(deed: Callable[[], object], clock: Callable[[], float] = time.thread_time) -> float:
    """Return the seconds of a processor that a call takes, of this thread unless clock differs."""
    with without_collections():
        begun = clock()
        deed()
        return clock() - begun
