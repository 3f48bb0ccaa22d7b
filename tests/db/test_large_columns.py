"""The large columns of a session's row are read by those alone who need them."""

from collections.abc import Iterator

import pytest
from django.db import connection, connections
from django.db.backends.signals import connection_created

from sessions.models import Session
from tests.db.scripting import Script, answer, new_session, path_of, prompt

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("stream_threads"),
]
LARGE = ('"chat_sessions_session"."live"', '"chat_sessions_session"."offers"')


@pytest.fixture
def asked() -> Iterator[list[str]]:
    """Every statement of every thread, as it is sent."""
    sent: list[str] = []

    def note(execute, sql, *more):
        sent.append(sql)
        return execute(sql, *more)

    def listen(connection, **_):
        connection.execute_wrappers.append(note)

    connection_created.connect(listen)
    for known in connections.all(initialized_only=True):
        listen(known)
    yield sent
    connection_created.disconnect(listen)
    connection.execute_wrappers.remove(note)


def reads_of(sent: list[str]) -> list[str]:
    return [sql for sql in sent if any(column in sql for column in LARGE)]


def test_a_reader_of_blocks_and_events_reads_no_large_column(ada: Script, asked: list[str]) -> None:
    session = new_session(ada)
    prompt(session, "hello")
    answer(session, "a finished answer")
    rows = Session.objects.get(pk=session.pk).messages.order_by("seq")
    message = next(data for data in rows.values_list("data", flat=True) if "blocks" in data)
    block = message["blocks"][0]["blockId"]
    asked.clear()
    assert Session.objects.find(ada.user, session.pk).head_seq
    for path in (f"/blocks/{block}", "/events", "/paths", "/files"):
        ada.json(path_of(session, path))
    ada.json("/api/history", sessionId=session.pk)
    assert any("chat_sessions_session" in sql for sql in asked)
    assert reads_of(asked) == []
    # The fixture hears such a read.
    assert Session.objects.get(pk=session.pk).live is not None
    assert reads_of(asked)
