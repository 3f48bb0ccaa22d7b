"""The database from asyncio, and reads that see one moment."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import ParamSpec, TypeVar

from django.db import close_old_connections, connection, connections, transaction

P = ParamSpec("P")
R = TypeVar("R")

# Few threads, each with one connection: a thousand idle streams hold none of them, and SQLite
# gains nothing from more.
THREADS = 4
_threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="database")


async def in_thread(func: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Return func(*args, **kwargs), run in one of this process's few database threads."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_threads, partial(_call, func, *args, **kwargs))


def _call(func: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    # A connection that the server has cut is replaced here instead of failing the call.
    close_old_connections()
    return func(*args, **kwargs)


def close_threads() -> None:
    """Close the connections of every database thread: before a test database is dropped."""
    everyone = threading.Barrier(THREADS)

    def close() -> None:
        connections.close_all()
        # Hold this thread until all have come, so that none is asked twice and another never.
        everyone.wait(timeout=10)

    for closing in [_threads.submit(close) for _ in range(THREADS)]:
        closing.result()


@contextmanager
def consistent_read() -> Iterator[None]:
    """Let every query inside see the database at one moment, without locking writers out.

    Inside a transaction that is open already, the caller's isolation holds.
    """
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            # Not atomic(): that takes the write lock, by the IMMEDIATE of settings.DATABASES.
            cursor.execute("BEGIN DEFERRED")
            try:
                yield
            finally:
                cursor.execute("ROLLBACK")
    else:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield
