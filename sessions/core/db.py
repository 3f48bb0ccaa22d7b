"""The database from asyncio, and reads that see one moment."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import ParamSpec, TypeVar

from django.db import (
    InterfaceError,
    InternalError,
    OperationalError,
    connection,
    connections,
    transaction,
)

from sessions.core.reserves.memory import spare_memory
from sessions.core.turns import Turns

logger = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

# Python runs one of them at a time and SQLite has one writer: more threads only wait longer.
THREADS = 4

# Errors raised while the database is down, restarting or locked; a retry may succeed.
AWAY = (OperationalError, InterfaceError)
# PostgreSQL's SQLSTATE for a write while it takes none.
READ_ONLY = "25006"
RETRY_FIRST_S = 0.05
RETRY_MOST_S = 2.0

RELAX_AND_RESTORE = {
    "sqlite": ("PRAGMA synchronous=NORMAL", "PRAGMA synchronous=FULL"),
    "postgresql": ("SET synchronous_commit = off", "RESET synchronous_commit"),
}


# The user that the work of this context is for; None: the server's own work.
owner: ContextVar[int | None] = ContextVar("owner", default=None)


class DatabaseThreads:
    """A few threads for blocking database work, each with one connection.

    They are not the one thread of thread-sensitive calls, where a slow page would hold up
    everybody; and a thousand idle streams hold none of them. Owners take turns: see
    sessions.core.turns.
    """

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix=name)
        self._turns: Turns[Callable[[], None]] = Turns(THREADS)

    async def run(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return function(*args, **kwargs), run in one of the threads."""
        answer: Future[R] = Future()
        call = partial(_answer, answer, partial(function, *args, **kwargs))
        if self._turns.add(owner.get(), call):
            self._executor.submit(self._work)
        return await asyncio.wrap_future(answer)

    def _work(self) -> None:
        """Do the calls whose turn it is until none may begin."""
        while (turn := self._turns.begin()) is not None:
            whose, call = turn
            try:
                call()
            finally:
                self._turns.end(whose)

    def open_connections(self) -> None:
        """Start every thread and connect it: later there may be no descriptor for that."""
        self._in_each(_connect)

    def close_connections(self) -> None:
        """Close every thread's connection: before a test database is dropped."""
        self._in_each(connections.close_all)

    def _in_each(self, work: Callable[[], None]) -> None:
        everyone = threading.Barrier(THREADS)

        def once() -> None:
            try:
                work()
            finally:
                # Hold this thread until all have come: none is asked twice and another never.
                everyone.wait(timeout=10)

        for working in [self._executor.submit(once) for _ in range(THREADS)]:
            working.result()


def _connect() -> None:
    connection.ensure_connection()
    _return_pooled_connections()


def _answer(answer: Future[R], function: Callable[[], R]) -> None:
    """Do a call and give its answer, unless the asker has left meanwhile."""
    if not answer.set_running_or_notify_cancel():
        return
    try:
        result = _guarded(function)
    except BaseException as exc:  # noqa: BLE001 (the caller gets every error)
        answer.set_exception(exc)
    else:
        answer.set_result(result)


def _guarded(function: Callable[[], R]) -> R:
    _drop_broken_connections()
    try:
        return function()
    except InternalError as exc:
        if getattr(exc.__cause__, "sqlstate", None) != READ_ONLY:
            raise
        # For a while, like a lock: work that may wait is tried again.
        raise OperationalError(str(exc)) from exc.__cause__
    except MemoryError as exc:
        spare_memory.let_go()
        # The same: there may be some in a moment, and a stop has a way past the database.
        raise OperationalError("out of memory") from exc
    finally:
        _return_pooled_connections()


def _drop_broken_connections() -> None:
    """Close connections that an earlier call broke, as Django does at the start of a request."""
    for each in connections.all(initialized_only=True):
        if not each.in_atomic_block:
            each.close_if_unusable_or_obsolete()


def _return_pooled_connections() -> None:
    """Hand a connection of a database-wide pool back: an idle thread holds none of them."""
    for each in connections.all(initialized_only=True):
        if each.settings_dict["OPTIONS"].get("pool") and not each.in_atomic_block:
            each.close()


threads = DatabaseThreads("database")
in_thread = threads.run


async def retry_while_down(call: Callable[[], R]) -> R:
    """Return call(), run in one of the threads; retry while the database is down or locked.

    call: an operation that may be done twice, since an answer can be lost. The caller bounds the
    time: a live session is cancelled when its runner can no longer renew its lease.
    """
    for delay in retry_delays():
        try:
            return await in_thread(call)
        except AWAY as exc:
            logger.warning("the database is down: trying again", extra={"why": str(exc)})
        await asyncio.sleep(delay)
    raise AssertionError("the delays never end")


def retry_delays() -> Iterator[float]:
    """Yield the seconds to wait after each failed try, without end."""
    delay = RETRY_FIRST_S
    while True:
        yield delay
        delay = min(delay * 2, RETRY_MOST_S)


def has_one_lock() -> bool:
    """Return whether one lock may keep every process from writing: SQLite alone has such a lock."""
    return connection.vendor == "sqlite"


def is_locked() -> bool:
    """Return whether that lock is held now."""
    return has_one_lock() and _error_of_a_write() in (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
    )


def is_read_only() -> bool:
    """Return whether the database takes no writes."""
    if connection.vendor == "sqlite":
        return _error_of_a_write() == sqlite3.SQLITE_READONLY
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_read_only")
        return bool(cursor.fetchone()[0] == "on")


def _error_of_a_write() -> int:
    """Return SQLite's code for a write, tried on a connection of its own; 0: it would succeed."""
    with contextlib.closing(sqlite3.connect(connection.settings_dict["NAME"], timeout=0)) as own:
        try:
            own.execute("BEGIN IMMEDIATE")
            # On a read-only file the line above begins a read alone.
            own.execute("PRAGMA user_version = 0")
        except sqlite3.OperationalError as exc:
            return exc.sqlite_errorcode & 0xFF
        own.rollback()
        return 0


@contextmanager
def without_fsync() -> Iterator[None]:
    """Let the commits inside return before the disk has them. Never for appends to a log.

    For rows that are worthless after a power cut, such as open connections: many small commits of
    them would make the log wait. Inside an open transaction nothing changes.
    """
    if connection.in_atomic_block:
        yield
        return
    relax, restore = RELAX_AND_RESTORE[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(relax)
        try:
            yield
        finally:
            cursor.execute(restore)


@contextmanager
def consistent_read() -> Iterator[None]:
    """Let every query inside see the database at one moment, without locking writers out.

    Inside a transaction that is open already, the caller's isolation holds.
    """
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            if connection.connection.in_transaction:  # a consistent read around this one
                yield
                return
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
