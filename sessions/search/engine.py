"""The port to the database's own engine: SQLite's FTS5, PostgreSQL's tsvector.

Triggers keep the index: a message that is written, changed or deleted is so in the index, in the
same transaction, whoever writes it. Messages of before the index are filled in by portions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

from django.db import connection, transaction

# More rows than these are not sorted by us.
MANY: Final = 2_000


@dataclass(frozen=True, slots=True)
class Query:
    """Words that a message has all of, each as the beginning of one of its own.

    before: rows of messages below this one; session_id None: of all sessions of the owner.
    """

    words: Sequence[str]
    owner_id: int
    session_id: UUID | None
    before: int | None
    limit: int


class Engine(Protocol):
    """An engine. Rows of messages are named by their primary keys."""

    def find(self, query: Query) -> list[int]:
        """Return the rows that fit, the youngest first."""

    def fill(self, after: int, limit: int) -> int | None:
        """Index messages above a row that are not indexed; return the last one, None: no more."""

    def clear(self) -> None:
        """Forget every message."""


class Fts5:
    """SQLite: a table without content of its own. chat_search_entry has the rows that are in it."""

    def find(self, query: Query) -> list[int]:
        """Return the rows that fit, the youngest first."""
        scope = f"o{query.owner_id}"
        if query.session_id is not None:
            scope = f'{scope}" AND scope : "s{query.session_id.hex}'
        # A word has letters and digits alone: nothing in it is syntax.
        # One letter alone is a word: too many begin with it.
        words = " AND ".join(
            f'text : "{word}"{"*" if len(word) > 1 else ""}' for word in query.words
        )
        sql = "SELECT rowid FROM chat_search WHERE chat_search MATCH %s"
        below = "" if query.before is None else " AND rowid < %s"
        facts: list[str | int] = [] if query.before is None else [query.before]
        return _ids(
            f"{sql}{below} ORDER BY rowid DESC LIMIT %s",
            [f'scope : "{scope}" AND {words}', *facts, query.limit],
        )

    def fill(self, after: int, limit: int) -> int | None:
        """Index messages above a row that are not indexed; return the last one, None: no more."""
        rows = _ids(
            "SELECT m.id FROM chat_sessions_message m LEFT JOIN chat_search_entry e ON e.id = m.id"
            " WHERE m.id > %s AND e.id IS NULL ORDER BY m.id LIMIT %s",
            [after, limit],
        )
        if not rows:
            return None
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT OR IGNORE INTO chat_search_entry (id, scope)"
                " SELECT m.id, 'o' || s.owner_id || ' s' || m.session_id"
                " FROM chat_sessions_message m JOIN chat_sessions_session s ON s.id = m.session_id"
                " LEFT JOIN chat_search_entry e ON e.id = m.id"
                " WHERE m.id > %s AND m.id <= %s AND e.id IS NULL",
                [after, rows[-1]],
            )
            marks = ", ".join(["%s"] * len(rows))
            cursor.execute(
                "INSERT INTO chat_search (rowid, text, scope) SELECT m.id, m.text, e.scope"  # noqa: S608 (places alone)
                " FROM chat_sessions_message m JOIN chat_search_entry e ON e.id = m.id"
                f" WHERE m.id IN ({marks})",
                rows,
            )
        return rows[-1]

    def clear(self) -> None:
        """Forget every message."""
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO chat_search (chat_search) VALUES ('delete-all')")
            cursor.execute("DELETE FROM chat_search_entry")


class Tsvector:
    """PostgreSQL: one row for each message, with its words and its scope, under a GIN index."""

    def find(self, query: Query) -> list[int]:
        """Return the rows that fit, the youngest first."""
        scope = f"'#o{query.owner_id}'"
        if query.session_id is not None:
            scope = f"{scope} & '#s{query.session_id}'"
        words = " & ".join(word if len(word) == 1 else f"{word}:*" for word in query.words)
        below = "" if query.before is None else " AND id < %s"
        sql = "SELECT id FROM chat_search WHERE words @@ (%s::tsquery && to_tsquery('simple', %s))"
        sql += below
        facts: list[str | int] = (
            [scope, words] if query.before is None else [scope, words, query.before]
        )
        # The planner cannot know how rare the words are: few rows come by the index of words and
        # are sorted here, many by the index of ids.
        with transaction.atomic():
            _execute("SET LOCAL enable_seqscan = off")
            few = _ids(f"{sql} LIMIT %s", [*facts, MANY + 1])
            _execute("SET LOCAL enable_seqscan = on")
        if len(few) <= MANY:
            return sorted(few, reverse=True)[: query.limit]
        return _ids(f"{sql} ORDER BY id DESC LIMIT %s", [*facts, query.limit])

    def fill(self, after: int, limit: int) -> int | None:
        """Index messages above a row that are not indexed; return the last one, None: no more."""
        rows = _ids(
            "INSERT INTO chat_search (id, words)"
            " SELECT m.id, chat_search_words(m.text, m.session_id) FROM chat_sessions_message m"
            " LEFT JOIN chat_search e ON e.id = m.id WHERE m.id > %s AND e.id IS NULL"
            " ORDER BY m.id LIMIT %s ON CONFLICT (id) DO NOTHING RETURNING id",
            [after, limit],
        )
        return max(rows, default=None)

    def clear(self) -> None:
        """Forget every message."""
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM chat_search")


def _execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def _ids(sql: str, values: Sequence[str | int]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return [row[0] for row in cursor.fetchall()]


_ENGINES: Final[dict[str, Engine]] = {"sqlite": Fts5(), "postgresql": Tsvector()}


def current() -> Engine:
    """Return the engine of the database."""
    return _ENGINES[connection.vendor]
