"""What commands leave in the rows of a stream for its owner, and what they may not change."""

import pytest
from django.contrib.auth import get_user_model

from sessions.core.errors import UnknownSession
from sessions.core.states import SessionState
from sessions.models import Session
from transport.errors import TooManyWatches
from transport.models import Connection, Watch
from transport.rows import closing, connections, orders, presence, progress

pytestmark = pytest.mark.django_db

LIMIT = 3


@pytest.fixture
def owner():
    return get_user_model().objects.create_user("owner")


@pytest.fixture
def sessions(owner, settings):
    """As many sessions as a connection may watch, and one more."""
    settings.CHAT = {"MAX_WATCHES": LIMIT}
    fields = {"owner": owner, "agent": "demo", "state": SessionState.ACTIVE}
    return [Session.objects.create(**fields) for _ in range(LIMIT + 1)]


def open_on(owner, *watched: Session) -> Connection:
    watches = [(session.pk, None) for session in watched]
    opened = connections.open_connection(owner, user_agent="", watches=watches)
    return Connection.objects.get(pk=opened.id)


def watched_on(connection: Connection) -> set:
    rows = Watch.objects.filter(connection=connection, closed_at__isnull=True)
    return set(rows.values_list("session_id", flat=True))


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        (Watch.Order.RECONNECT, SessionState.SUSPENDED),
        (Watch.Order.WATCH, SessionState.SUSPENDED),
        (Watch.Order.RESUME, SessionState.ACTIVE),
    ],
)
def test_only_resume_brings_a_hidden_page_to_the_foreground(owner, sessions, kind, state):
    session = sessions[0]
    connection = open_on(owner, session)
    progress.suspend(connection, {session.pk: 0})
    orders.order(connection, session.pk, kind, cursor=0)
    presence.refresh([session.pk])
    session.refresh_from_db()
    assert session.state == state


def test_a_session_that_cannot_be_counted_does_not_keep_the_others(
    owner, sessions, monkeypatch, caplog
):
    broken, *others = (session.pk for session in sessions[:LIMIT])
    connection = open_on(owner, *sessions[:LIMIT])
    presence.refresh([broken, *others])
    closing.close(connection.pk, "test")
    real = presence.set_presence

    def set_presence(session_id, **counts):
        if session_id == broken:
            raise ValueError("no such state")
        real(session_id, **counts)

    monkeypatch.setattr(presence, "set_presence", set_presence)
    presence.refresh([broken, *others])
    detached = Session.objects.filter(state=SessionState.DETACHED)
    assert set(detached.values_list("pk", flat=True)) == set(others)
    assert "watchers of a session were not counted" in caplog.text


def test_a_session_that_is_watched_anew_is_in_the_foreground(owner, sessions):
    session = sessions[0]
    connection = open_on(owner, session)
    progress.suspend(connection, {session.pk: 0})
    orders.unwatch(connection, session.pk)
    orders.order(connection, session.pk, Watch.Order.WATCH)
    assert not Watch.objects.get().background


def test_switch_needs_no_room_for_the_session_that_it_leaves(owner, sessions):
    *watched, another = sessions
    connection = open_on(owner, *watched)
    orders.switch(connection, watched[0].pk)
    assert set(orders.switch(connection, another.pk)) == {watched[0].pk, another.pk}
    assert watched_on(connection) == {row.pk for row in (*watched[1:], another)}


def test_switch_over_the_limit_changes_nothing(owner, sessions):
    *watched, another = sessions
    connection = open_on(owner, *watched)
    with pytest.raises(TooManyWatches):
        orders.switch(connection, another.pk)
    assert watched_on(connection) == {row.pk for row in watched}


def test_switch_to_a_session_of_somebody_else_leaves_the_shown_one_watched(owner, sessions):
    stranger = get_user_model().objects.create_user("stranger")
    theirs = Session.objects.create(owner=stranger, agent="demo")
    connection = open_on(owner, sessions[0])
    with pytest.raises(UnknownSession):
        orders.switch(connection, theirs.pk)
    assert watched_on(connection) == {sessions[0].pk}
    assert Connection.objects.get().shown_id == sessions[0].pk
