"""The weight of rows: how many bytes they take, and room for those that are being read.

An agent chooses the size of its rows. So they are weighed before they are read, and all readers of
a process share a room of ROWS_BYTES for the rows that they turn into objects.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import islice
from typing import Any, Final, NamedTuple

from django.db import connection
from django.db.models import Func, IntegerField, QuerySet, Subquery
from django.db.models.sql.compiler import SQLCompiler

from sessions.core.conf import chat
from sessions.core.host import give_freed_memory_back

# A row of a long answer: thousands of texts, each too small to go back by itself.
LARGE_BYTES: Final = 2 * 1024 * 1024


class Weighed(NamedTuple):
    """The place of a row and its stored bytes."""

    seq: int
    size: int


class Stored(Func):
    """The bytes of a JSON or text column as it is stored, roughly. SQLite has JSON in ASCII."""

    function = "LENGTH"
    output_field = IntegerField()

    def as_postgresql(self, compiler: SQLCompiler, connection: Any, **context: Any) -> Any:
        """Return the expression for PostgreSQL, where JSON is no text."""
        template = "OCTET_LENGTH((%(expressions)s)::text)"
        return super().as_sql(compiler, connection, template=template, **context)


class Octets(Func):
    """The bytes of a text in UTF-8."""

    template = "LENGTH(CAST(%(expressions)s AS BLOB))"
    output_field = IntegerField()

    def as_postgresql(self, compiler: SQLCompiler, connection: Any, **context: Any) -> Any:
        """Return the expression for PostgreSQL."""
        template = "OCTET_LENGTH(%(expressions)s)"
        return super().as_sql(compiler, connection, template=template, **context)


class Total(Subquery):
    """The stored bytes of some rows together: one number, beside the row of another query."""

    template = "(SELECT COALESCE(SUM(weighed.size), 0) FROM (%(subquery)s) AS weighed)"
    output_field = IntegerField()

    def __init__(self, rows: QuerySet[Any], column: str) -> None:
        super().__init__(rows.values(size=Stored(column)))


def split(weighed: Iterable[Weighed], max_bytes: int) -> Iterator[list[Weighed]]:
    """Yield neighbours of at most max_bytes together; a heavier one alone."""
    batch: list[Weighed] = []
    size = 0
    for one in weighed:
        if batch and size + one.size > max_bytes:
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += one.size
    if batch:
        yield batch


class Room:
    """Bytes that the threads of a process may hold together; a request for all of them waits.

    A thread that holds room must not ask for more.
    """

    def __init__(self) -> None:
        self._held = 0
        self._freed = threading.Condition()

    @contextmanager
    def held(self, size: int) -> Iterator[None]:
        """Hold size bytes; one that asks for more than there is waits to be alone."""
        with self._freed:
            self._freed.wait_for(lambda: not self._held or self._held + size <= chat.ROWS_BYTES)
            self._held += size
        try:
            yield
        finally:
            if size > LARGE_BYTES:
                # Before the next one: the C library would hold the blocks of both.
                give_freed_memory_back()
            with self._freed:
                self._held -= size
                self._freed.notify_all()


rows_room: Final = Room()


def weighed(rows: QuerySet[Any], column: str, *, at_once: int) -> Generator[Weighed, None, None]:
    """Yield the weights of rows as they are asked for, a few at a time.

    Call it inside a consistent read, as PostgreSQL would weigh all of them at once outside; and
    not by a thread that holds room.
    """
    sizes = rows.values_list("seq", Stored(column)).iterator(chunk_size=at_once)
    while True:
        with scales():
            some = list(islice(sizes, at_once))
        yield from (Weighed(*row) for row in some)
        if len(some) < at_once:
            return


def scales() -> AbstractContextManager[None]:
    """Hold all the room where weighing a row loads it into this process: SQLite does so."""
    return rows_room.held(chat.ROWS_BYTES) if connection.vendor == "sqlite" else nullcontext()
