"""What streams write into their Watch rows, many readers at a time."""

import uuid

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from sessions.models import Session
from transport import connections
from transport.connections import Progress
from transport.models import Watch

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


def test_readers_at_one_place_are_one_statement(owner, session, django_assert_num_queries):
    readers = [make_reader(owner, session) for _ in range(10)]
    with django_assert_num_queries(3):  # the update between savepoint and release
        connections.flush([sent(reader, session, 7) for reader in readers])
    assert cursors(session) == dict.fromkeys(readers, 7)


def test_readers_at_different_places_keep_their_own(owner, session):
    fast, slow = make_reader(owner, session), make_reader(owner, session)
    decided = {"replayed": 4, "decision": "replayed 4", "decided_at": timezone.now()}
    connections.flush([sent(fast, session, 9), sent(slow, session, 5, **decided)])
    connections.flush([sent(slow, session, 6)])
    assert cursors(session) == {fast: 9, slow: 6}
    row = Watch.objects.get(connection_id=slow)
    assert (row.replayed, row.last_decision) == (4, "replayed 4")


def test_what_a_newer_order_brought_is_written_last(owner, session):
    first, second = make_reader(owner, session), make_reader(owner, session)
    Watch.objects.update(order_version=2)
    connections.flush(
        [
            sent(first, session, 8, done_version=2),
            sent(second, session, 3),
            sent(second, session, 8, done_version=2),
        ]
    )
    assert cursors(session) == {first: 8, second: 8}
    assert set(Watch.objects.values_list("done_version", flat=True)) == {2}
