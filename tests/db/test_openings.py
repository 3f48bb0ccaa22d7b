"""Streams that open together share their reads and one transaction; each has its own refusal."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from sessions.access import auth, tokens
from sessions.account_models import ApiToken
from sessions.control.send import create_session
from sessions.models import Session
from transport.errors import TooManyConnections, TooManyWatches
from transport.models import Connection, Watch
from transport.rows import connections
from transport.rows.connections import Opened, Wanted

pytestmark = pytest.mark.django_db

# Users, counts, sessions, connections, watches; around them savepoint and release.
STATEMENTS = 5 + 2


@pytest.fixture
def session(user: User) -> Session:
    return create_session(owner=user, agent="demo")


def wanted(user: User, *sessions: Session) -> Wanted:
    return Wanted(user, "a browser", [(session.pk, None) for session in sessions])


@pytest.mark.parametrize("streams", [1, 20])
def test_openings_take_five_statements_however_many_come(
    user, session, django_assert_num_queries, streams
) -> None:
    other = create_session(owner=User.objects.create_user("eve"), agent="demo")
    with django_assert_num_queries(STATEMENTS):
        opened = connections.open_all([wanted(user, session, other)] * streams)
    assert [each.accepted for each in opened] == [[(session.pk, None)]] * streams
    assert [each.rejected for each in opened] == [[other.pk]] * streams
    assert {each.id for each in opened} == set(Connection.objects.values_list("pk", flat=True))
    assert Watch.objects.filter(session=session).count() == streams
    assert not Watch.objects.filter(session=other).exists()
    assert set(Connection.objects.values_list("shown_id", flat=True)) == {session.pk}


def test_the_limit_of_a_user_is_exact_within_one_transaction(user, session, settings) -> None:
    settings.CHAT = settings.CHAT | {"MAX_CONNECTIONS_PER_USER": "3", "MAX_WATCHES": "1"}
    eve = User.objects.create_user("eve")
    connections.open_all([wanted(user, session)])
    second = create_session(owner=user, agent="demo")
    outcomes = connections.open_all(
        [wanted(user, session, second), *[wanted(user, session)] * 3, wanted(eve)]
    )
    kinds = [type(outcome) for outcome in outcomes]
    assert kinds == [TooManyWatches, Opened, Opened, TooManyConnections, Opened]
    assert Connection.objects.filter(user=user).count() == 3
    assert Connection.objects.filter(user=eve).count() == 1


@pytest.fixture
def asked(user: User) -> list[Any]:
    """Twenty requests of one token, one of another and one of none."""
    shown = [{"authorization": f"Bearer {tokens.create_token(user)}"} for _ in range(2)]
    # Their first uses are written.
    auth.identify_all([(headers, {}) for headers in shown])
    wrong = {"authorization": "Bearer backstay_wrong"}
    return [(headers, {}) for headers in [*[shown[0]] * 20, shown[1], wrong]]


def test_equal_credentials_are_read_once(user, asked) -> None:
    with CaptureQueriesContext(connection) as captured:
        found = auth.identify_all(asked)
    assert len(captured) == 3
    assert [asker.user for asker in found] == [user] * 21 + [None]


def test_a_revoked_token_opens_no_stream_of_the_next_call(user, asked) -> None:
    tokens.revoke(ApiToken.objects.filter(user=user))
    assert {asker.user for asker in auth.identify_all(asked)} == {None}


def test_the_same_token_beside_another_cookie_or_key_is_another_credential(user, asked) -> None:
    [(headers, _), *_] = asked
    # A wrong token is not made up for by a cookie, and a good one needs no key.
    found = auth.identify_all(
        [
            (headers, {}),
            (headers | {"authorization": "Bearer backstay_wrong"}, {}),
            (headers | {"x-origin-key": "a"}, {}),
            ({}, {}),
        ]
    )
    assert [asker.user for asker in found] == [user, None, user, None]
