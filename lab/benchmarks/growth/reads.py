"""The hot reads and the append that are measured on a growing database, and their query plans."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lab.benchmarks.processes.client import quantile
from sessions.eventlog import drafts, store
from sessions.models import Session
from sessions.reading import queries

TAIL: Final = 50
REPLAYED: Final = 200
PAGE: Final = 50
KNOWN: Final = 100
LONGEST_SQL: Final = 160


@dataclass(frozen=True, slots=True)
class Chat:
    """The user that reads, and the chat that is read."""

    user: User
    session_id: UUID
    random: random.Random

    @property
    def head(self) -> int:
        """The last seq of the chat."""
        return store.get_head_seq(self.session_id)


Read = Callable[[Chat], object]


def _tail(chat: Chat) -> object:
    return store.read(chat.session_id, after=max(0, chat.head - TAIL), limit=TAIL)


def _replay(chat: Chat) -> object:
    after = chat.random.randrange(max(1, chat.head - REPLAYED))
    batches = store.batches(
        chat.session_id, after=after, limit=REPLAYED, max_bytes=1 << 20, upto=after + REPLAYED
    )
    return [event for batch in batches for event in batch]


def _older_messages(chat: Chat) -> object:
    before = chat.random.randrange(1, chat.head + 1)
    return queries.message_page(chat.user, chat.session_id, before=before, limit=PAGE)


def _older_chats(chat: Chat) -> object:
    mine = Session.objects.filter(owner=chat.user).order_by("last_activity_at")
    first, last = mine.first(), mine.last()
    if first is None or last is None:
        raise RuntimeError("there is no chat")
    middle = first.last_activity_at + (last.last_activity_at - first.last_activity_at) / 2
    return queries.session_page(chat.user, before=f"{middle.isoformat()}~{first.pk}", limit=PAGE)


def _news(chat: Chat) -> object:
    known = Session.objects.filter(owner=chat.user).order_by("-last_activity_at")[:KNOWN]
    return store.news({pk: max(0, head - 1) for pk, head in known.values_list("pk", "head_seq")})


READS: Final[dict[str, Read]] = {
    "boundary": lambda chat: store.boundary(chat.session_id),
    "last 50 events": _tail,
    "replay of 200": _replay,
    "snapshot": lambda chat: queries.session_snapshot(chat.user, chat.session_id),
    "newest messages": lambda chat: queries.message_page(
        chat.user, chat.session_id, before=None, limit=PAGE
    ),
    "older messages": _older_messages,
    "list of chats": lambda chat: queries.session_page(chat.user, limit=PAGE),
    "older chats": _older_chats,
    "news of 100 chats": _news,
    "append of one event": lambda chat: store.append(
        chat.session_id, [drafts.title_changed(title="a long chat")]
    ),
}


def measure(chat: Chat, *, count: int) -> dict[str, float]:
    """Return the ms of each read: a tenth of its runs is faster, so that few neighbours count.

    The reads take turns: a neighbour meets all of them. SQLite works in this process, and its CPU
    time is taken, which no neighbour disturbs; of PostgreSQL it is the time on the clock.
    """
    clock = time.thread_time if connection.vendor == "sqlite" else time.perf_counter
    took: dict[str, list[float]] = {name: [] for name in READS}
    for _ in range(count + 1):
        for name, read in READS.items():
            began = clock()
            read(chat)
            took[name].append((clock() - began) * 1000)
    # The first one of each meets a cold cache.
    return {name: quantile(sorted(each[1:]), 0.1) for name, each in took.items()}


def plans(chat: Chat) -> dict[str, str]:
    """Return the database's plan for each statement of each read."""
    return {name: "\n".join(_plans_of(read, chat)) for name, read in READS.items()}


def _plans_of(read: Read, chat: Chat) -> Iterator[str]:
    with CaptureQueriesContext(connection) as captured:
        read(chat)
    seen: set[str] = set()
    for query in captured.captured_queries:
        sql = query["sql"]
        shape = _shape(sql)
        if not re.match(r"\s*(SELECT|UPDATE|INSERT|DELETE)", sql) or shape in seen:
            continue
        seen.add(shape)
        yield shape if len(shape) <= LONGEST_SQL else f"{shape[:LONGEST_SQL]} …"
        yield from (f"    {line}" for line in _explained(sql))


def _explained(sql: str) -> list[str]:
    explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN (COSTS OFF)"
    if sql.lstrip().startswith("INSERT"):
        return []
    with connection.cursor() as cursor:
        # Captured with its values; a % in them is no place for another.
        cursor.execute(f"{explain} {sql}".replace("%", "%%"), [])
        return [str(row[-1]) for row in cursor.fetchall()]


def _shape(sql: str) -> str:
    """Return a statement without its columns and values."""
    sql = re.sub(r"SELECT (DISTINCT )?.*? FROM ", r"SELECT … FROM ", sql, flags=re.DOTALL)
    sql = re.sub(r"'[^']*'", "?", sql.replace('"', ""))
    sql = re.sub(r"\b\d+\b|(?<== )[0-9a-f]{32}", "?", sql)
    return re.sub(r"\(\?(, \?)+\)", "(?, …)", " ".join(sql.split()))
