"""A small pool of threads for the streams' database work.

Streams do not use the thread of thread-sensitive calls: one slow page would hold up every
stream. Each thread keeps its database connection, so a process has as many as it has threads,
however many streams are open.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, ParamSpec, TypeVar

from django.db import connections

P = ParamSpec("P")
R = TypeVar("R")

# Python runs one of them at a time and SQLite has one writer: more threads only wait longer.
THREADS: Final = 4

_executor = ThreadPoolExecutor(THREADS, thread_name_prefix="stream-db")


async def run(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a synchronous function that uses the database, in the pool; return its result."""
    call = partial(_guarded, partial(function, *args, **kwargs))
    return await asyncio.get_running_loop().run_in_executor(_executor, call)


def _guarded(function: Callable[[], R]) -> R:
    _drop_broken_connections()
    try:
        return function()
    finally:
        _return_pooled_connections()


def _drop_broken_connections() -> None:
    """Close what an earlier call left broken, as Django does at the start of a request."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()


def _return_pooled_connections() -> None:
    """Hand a connection of a database-wide pool back: an idle thread holds none of them."""
    for connection in connections.all(initialized_only=True):
        if connection.settings_dict["OPTIONS"].get("pool") and not connection.in_atomic_block:
            connection.close()
