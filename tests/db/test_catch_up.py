"""Catch-up against the database: what comes between its reads is neither lost nor repeated."""

import json

import pytest
from django.contrib.auth import get_user_model

from sessions.control.send import create_session
from sessions.eventlog import snapshot, store
from sessions.eventlog.events import Draft
from transport.live.catchup import Action, catch_up

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def session_id():
    user = get_user_model().objects.create(username="alice")
    return create_session(owner=user, agent="demo", title="chat").pk


def append(session_id, count=1):
    store.append(session_id, [Draft("title_changed", {"title": str(n)}) for n in range(count)])


def told(done):
    frames = [frame for frame in b"".join(done.chunks).decode().split("\n\n") if frame]
    lines = [frame.split("data: ", 1)[1] for frame in frames]
    return [json.loads(line) for line in lines]


@pytest.fixture
def busy(monkeypatch, session_id):
    """Append events just before each snapshot: behind the first look at the head."""

    def make(count):
        take = snapshot.take
        left = [count]

        def append_and_take(*args, **options):
            if left[0]:
                append(session_id, left.pop())
                left.append(0)
            return take(*args, **options)

        monkeypatch.setattr(snapshot, "take", append_and_take)

    return make


def test_i3_an_event_behind_the_first_look_reaches_a_client_that_was_at_the_head(session_id, busy):
    append(session_id, 9)
    busy(1)
    done = catch_up(session_id, cursor=10, max_gap=5)
    frames = told(done)
    assert [frame.get("seq") for frame in frames] == [11, None]
    assert (frames[1]["cursor"], frames[1]["full"]) == (11, True)
    assert (done.cursor, done.replayed) == (11, 1)


def test_i3_many_events_behind_the_first_look_are_an_announced_skip(session_id, busy):
    append(session_id, 9)
    busy(6)
    done = catch_up(session_id, cursor=10, max_gap=5)
    skip, shown = told(done)
    assert (skip["type"], skip["from"], skip["to"]) == ("replay_skipped", 11, 16)
    assert (shown["cursor"], shown["full"]) == (16, True)
    assert done.plan.action is Action.SKIP


def test_a_cursor_beyond_the_head_stays_invalid_when_the_log_grows_past_it(session_id, busy):
    busy(20)
    [shown] = told(catch_up(session_id, cursor=10, max_gap=5))
    assert (shown["cursorInvalid"], shown["full"], shown["cursor"]) == (True, True, 21)


@pytest.mark.parametrize("upto", [3, 7, 8])
def test_i3_an_order_of_periodic_sync_that_is_overtaken_moves_no_cursor(session_id, upto):
    append(session_id, 9)
    done = catch_up(session_id, cursor=8, max_gap=5, upto=upto, connecting=False)
    assert (done.chunks, done.cursor, done.replayed) == ([], 8, 0)
