"""What streams write into their Watch rows, many readers at a time."""

import uuid
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from sessions.models import Session
from transport.models import Connection, Watch
from transport.rows import connections, progress
from transport.rows.progress import Progress

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return get_user_model().objects.create_user("owner")


@pytest.fixture
def session(owner):
    return Session.objects.create(owner=owner, agent="demo")


def make_reader(owner, session) -> uuid.UUID:
    return connections.open_connection(owner, user_agent="", watches=[(session.pk, None)]).id


def sent(connection_id, session, cursor, **more) -> Progress:
    fields = {"replayed": 0, "skipped": 0, "decision": "", "decided_at": None, "done_version": 1}
    return Progress(connection_id, session.pk, cursor, **(fields | more))


def cursors(session) -> dict:
    return dict(Watch.objects.filter(session=session).values_list("connection_id", "cursor_sent"))


def test_cursors_are_one_statement_wherever_they_stand(owner, session, django_assert_num_queries):
    other = Session.objects.create(owner=owner, agent="demo")
    readers = [make_reader(owner, session) for _ in range(5)]
    others = [make_reader(owner, other) for _ in range(5)]
    reports = [sent(reader, session, 7) for reader in readers]
    reports += [sent(reader, other, place) for place, reader in enumerate(others)]
    with django_assert_num_queries(3):  # one for all rows, between savepoint and release
        progress.flush(reports)
    assert cursors(session) == dict.fromkeys(readers, 7)
    assert cursors(other) == {reader: place for place, reader in enumerate(others)}


def test_pings_are_one_statement_and_alone_they_touch_no_watch(
    owner, session, django_assert_num_queries
):
    readers = [make_reader(owner, session) for _ in range(3)]
    now = timezone.now()
    pings = {reader: now - timedelta(seconds=n) for n, reader in enumerate(readers[:2])}
    with django_assert_num_queries(3):  # one for all rows, between savepoint and release
        progress.flush([], pings)
    rows = dict(Connection.objects.values_list("pk", "pinged_at"))
    assert rows == {**pings, readers[2]: None}


def test_readers_at_different_places_keep_their_own(owner, session):
    fast, slow = make_reader(owner, session), make_reader(owner, session)
    decided = {"replayed": 4, "decision": "replayed 4", "decided_at": timezone.now()}
    progress.flush([sent(fast, session, 9), sent(slow, session, 5, **decided)])
    progress.flush([sent(slow, session, 6)])
    assert cursors(session) == {fast: 9, slow: 6}
    row = Watch.objects.get(connection_id=slow)
    assert (row.replayed, row.last_decision) == (4, "replayed 4")


def test_an_older_and_a_newer_report_of_one_watch_are_one(owner, session):
    reader = make_reader(owner, session)
    Watch.objects.update(order_version=2)
    left = sent(reader, session, 3, replayed=2, decision="replayed 2", decided_at=timezone.now())
    progress.flush([left, sent(reader, session, 8, skipped=5, done_version=2)])
    row = Watch.objects.get()
    assert (row.cursor_sent, row.done_version, row.replayed, row.skipped) == (8, 2, 2, 5)
    assert row.last_decision == "replayed 2"


def test_a_stream_without_a_cursor_yet_keeps_the_row_without_one(owner, session):
    progress.flush([sent(make_reader(owner, session), session, None)])
    assert Watch.objects.get().cursor_sent is None


def test_a_report_of_an_order_that_the_row_never_got_changes_nothing(owner, session):
    reader = make_reader(owner, session)
    progress.flush([sent(reader, session, 8, done_version=2)])
    assert cursors(session) == {reader: None}
