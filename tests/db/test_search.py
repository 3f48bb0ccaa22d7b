"""Search in messages: by words, in own sessions alone, by an index that is never wrong."""

from __future__ import annotations

import io
import re
import uuid
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from sessions.core.errors import UnknownSession
from sessions.eventlog import store
from sessions.eventlog.events import Draft
from sessions.models import Message, SearchIndex, Session
from sessions.reading import search as reading
from sessions.search import engine, index, words
from tests.db.scripting import Script, answer, new_session, path_of, prompt
from tests.db.test_api_schemas import check

pytestmark = pytest.mark.django_db(transaction=True)

MESSAGES = 20_000


def found(person: Script, text: str, path: str = "/api/search", **query: Any) -> list[str]:
    page = person.json(path, q=text, **query)
    check(reading.HitPage, page)
    assert page["isWhole"]
    return ["".join(piece["text"] for piece in hit["snippet"]) for hit in page["results"]]


def test_messages_are_found_by_the_beginnings_of_their_words(ada: Script) -> None:
    session = new_session(ada, "a title")
    prompt(session, "Where is sessions/runner/inbox.py?")
    answer(session, "In the Größe of the folder, e.g. at example.com")
    for text in ("inbox", "INB run", "runner inbox", "sessions/runner/inbox.py", "whe"):
        assert found(ada, text) == ["Where is sessions/runner/inbox.py?"]
    assert len(found(ada, "größ exa")) == 1
    assert found(ada, "nbox") == []
    assert found(ada, "inbox folder") == []
    assert len(found(ada, "the")) == 1
    assert len(found(ada, "in")) == 2


def test_a_hit_names_its_message_and_marks_the_words(ada: Script) -> None:
    session = new_session(ada, "a title")
    prompt(session, "word " * 100 + "needle <b>here</b> " + "word " * 100)
    [hit] = ada.json("/api/search", q="needle her")["results"]
    assert (hit["sessionId"], hit["title"], hit["role"]) == (str(session.pk), "a title", "user")
    assert hit["seq"] == Message.objects.get().seq
    assert [piece["text"] for piece in hit["snippet"] if piece["isMatch"]] == ["needle", "here"]
    whole = "".join(piece["text"] for piece in hit["snippet"])
    assert (whole[0], whole[-1]) == ("…", "…")
    assert len(whole) < 2 * words.SNIPPET_CHARS


def test_only_ones_own_sessions_are_searched(ada: Script, bob: Script) -> None:
    mine, his = new_session(ada), new_session(bob)
    prompt(mine, "a shared word")
    prompt(his, "a shared word")
    assert [h["sessionId"] for h in ada.json("/api/search", q="shared")["results"]] == [
        str(mine.pk)
    ]
    assert ada.get(path_of(his, "/search"), q="shared").status_code == 404
    # The scope of the index cannot be asked for.
    for text in (f"o{bob.user.pk}", f"#o{bob.user.pk}", f"s{his.pk.hex}", "scope : o1"):
        assert found(ada, text) == []


def test_one_session_is_searched_over_all_of_it_in_pages(ada: Script) -> None:
    session, other = new_session(ada), new_session(ada)
    for number in range(5):
        prompt(session, f"needle {number}")
        prompt(other, f"needle other {number}")
    path = path_of(session, "/search")
    first = ada.json(path, q="needle", limit=2)
    assert [hit["seq"] for hit in first["results"]] == [6, 5]
    rest = ada.json(path, q="needle", limit=100, before=first["nextBefore"])
    assert [hit["seq"] for hit in rest["results"]] == [4, 3, 2]
    assert (rest["hasMore"], rest["nextBefore"]) == (False, None)
    assert len(found(ada, "needle")) == 10


@pytest.mark.parametrize(
    "text",
    [
        '"',
        "'",
        "needle\0",
        'needle" OR text : "a',
        "needle* NEAR(a b)",
        "needle & !a | (b",
        "needle:*",
        "'; DROP TABLE chat_search; --",
        "-needle",
        "\\",
        "%_",
        "AND OR NOT",
        "x" * 200,
        "\u202e\U0001f600 ́",
        "\ud7ff\uffff",
        "a " * 100,
    ],
)
def test_no_query_is_syntax(ada: Script, text: str) -> None:
    session = new_session(ada)
    prompt(session, "a needle")
    response = ada.get("/api/search", q=text)
    assert response.status_code == 200, response.content
    fits = set(words.of_query(text)) in ({"needle"}, {"a"}, {"a", "needle"})
    assert len(response.json()["results"]) == int(fits)


@pytest.mark.parametrize("query", [{"q": ""}, {}, {"q": "x" * 10_000}, {"q": "a", "before": "x"}])
def test_malformed_searches_are_refused(ada: Script, query: dict[str, str]) -> None:
    assert ada.get("/api/search", **query).json()["code"] == "invalid_request"


def test_the_index_follows_an_edit_and_a_removal(ada: Script) -> None:
    session = new_session(ada)
    prompt(session, "the first text")
    [row] = Message.objects.all()
    edited = {"clientMsgId": row.client_msg_id, "text": "another one", "version": 2, "by": "ada"}
    store.append(session.pk, [Draft("prompt_edited", edited)])
    assert found(ada, "first") == []
    assert found(ada, "another") == ["another one"]
    Message.objects.all().delete()
    assert engine.current().find(query_of(ada, "another")) == []
    prompt(session, "another again")
    assert found(ada, "another") == ["another again"]


def query_of(person: Script, text: str) -> engine.Query:
    return engine.Query(words.of_query(text), person.user.pk, None, None, 10)


def test_messages_of_before_the_index_are_filled_in(ada: Script, monkeypatch) -> None:
    session = new_session(ada)
    for number in range(7):
        prompt(session, f"old {number}")
    engine.current().clear()
    SearchIndex.objects.update_or_create(pk=1, defaults={"is_whole": False, "filled_to": 0})
    prompt(session, "old but new")
    monkeypatch.setattr(reading, "FILLED", 3)
    seen = []
    for _ in range(4):
        page = ada.json("/api/search", q="old")
        seen.append((len(page["results"]), page["isWhole"]))
    assert seen == [(4, False), (7, False), (8, False), (8, True)]
    # A message that is edited or removed before it is filled in is no trouble.
    out = io.StringIO()
    call_command("search_index", "--rebuild", stdout=out)
    assert out.getvalue().splitlines()[-1] == "the index is whole"
    assert len(found(ada, "old")) == 8
    call_command("search_index", stdout=io.StringIO())
    assert len(found(ada, "old")) == 8


def test_a_removal_before_the_filling_leaves_the_index_right(ada: Script) -> None:
    session = new_session(ada)
    prompt(session, "one")
    prompt(session, "two")
    engine.current().clear()
    SearchIndex.objects.update_or_create(pk=1, defaults={"is_whole": False, "filled_to": 0})
    Message.objects.filter(text="one").delete()
    Message.objects.filter(text="two").update(text="three")
    while not index.fill_some():
        pass
    assert found(ada, "one") == found(ada, "two") == []
    assert found(ada, "three") == ["three"]


def test_a_text_of_too_many_words_for_the_engine_is_stored_and_found(ada: Script) -> None:
    session = new_session(ada)
    prompt(session, " ".join(f"w{number:x}{uuid.uuid4().hex}" for number in range(5_500)))
    prompt(session, "ö" * 100_000)
    assert len(found(ada, "w0")) == 1


def test_an_unknown_session_is_not_searched(ada: Script) -> None:
    with pytest.raises(UnknownSession):
        reading.search(ada.user, text="a", session_id=uuid.uuid4(), before=None, limit=1)


def fill_database(session: Session) -> None:
    """Make 100,000 messages of 30 words: one in each, some in a hundredth, one in a single one."""
    numbers = {
        "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n"
        f" WHERE i < {MESSAGES}) SELECT i FROM n",
        "postgresql": f"SELECT i FROM generate_series(1, {MESSAGES}) AS g(i)",
    }[connection.vendor]
    words_of_row = " || ' ' || ".join(f"'w' || ((i * {k}) % {k * 97})" for k in range(2, 30))
    many = words_of_row.replace("%", "%%")
    sql = f"""
        INSERT INTO chat_sessions_message
            (session_id, message_id, seq, role, turn_id, client_msg_id, text, data)
        SELECT %s, 'm' || i, i + 1, 'user', '', '',
            'common hundredth' || (i %% 100) || ' single' || i || ' ' || {many},
            '{{"ts": "2026-01-01T00:00:00.000Z"}}'
        FROM ({numbers}) AS rows(i)
    """
    if connection.vendor == "sqlite":
        sql = sql.replace(" AS rows(i)", "")
    key = session.pk.hex if connection.vendor == "sqlite" else session.pk
    with connection.cursor() as cursor:
        cursor.execute(sql, [key])
        if connection.vendor == "postgresql":
            cursor.execute("VACUUM ANALYZE chat_search")


def plans_of(queries: list[str]) -> list[str]:
    """The plan of each search in the index, run again with the settings before it."""
    explain = {"sqlite": "EXPLAIN QUERY PLAN", "postgresql": "EXPLAIN"}[connection.vendor]
    plans = []
    with transaction.atomic(), connection.cursor() as cursor:
        for sql in queries:
            if "chat_search WHERE" in sql:
                # As it is: it has its values in it already.
                cursor.execute(f"{explain} {sql}".replace("%", "%%"), [])
                plans.append(" ".join(str(row[-1]) for row in cursor.fetchall()))
            elif sql.startswith("SET LOCAL"):
                cursor.execute(sql)
    return plans


def test_a_search_walks_the_index_and_reads_no_message_that_does_not_fit(ada: Script) -> None:
    session = new_session(ada)
    fill_database(session)
    by_index = {
        "sqlite": r"VIRTUAL TABLE INDEX \d+:.*M",
        "postgresql": "(Bitmap Index Scan|Index Scan Backward)",
    }[connection.vendor]
    for text in ("single7777", "hundredth42", "common", "common hundredth42"):
        with CaptureQueriesContext(connection) as asked:
            page = reading.search(ada.user, text=text, session_id=None, before=None, limit=20)
        assert page["results"]
        plans = plans_of([query["sql"] for query in asked.captured_queries])
        assert plans
        for plan in plans:
            assert re.search(by_index, plan), plan
            assert "Seq Scan" not in plan
            assert "B-TREE" not in plan
