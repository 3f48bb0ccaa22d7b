"""A clock that is set back: rows dated in the future do not hold anything up."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from sessions.access import links, throttle, tokens
from sessions.account_models import ApiToken, LoginLink, LoginThrottle
from sessions.control.send import send_message
from sessions.core.errors import RateLimited
from sessions.eventlog.lease import is_held
from sessions.models import Event, Prompt, Session
from sessions.runner import idle
from sessions.runner.leasing import clock, leases
from transport.models import Connection, SyncLock
from transport.rows import closing
from transport.sync import lock

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
SECONDS = timedelta(seconds=20)


@pytest.fixture
def owner():
    return get_user_model().objects.create_user("owner")


def send(owner, name):
    receipt = send_message(user=owner, client_msg_id=name, session_id=None, text=name)
    return Session.objects.get(pk=receipt.session_id)


def shift(delta):
    """Date every row as if the clock had been ahead by delta when it was written."""
    for session in Session.objects.all():
        Session.objects.filter(pk=session.pk).update(
            last_activity_at=session.last_activity_at + delta,
            unwatched_since=timezone.now() + delta,
            lease_until=session.lease_until and session.lease_until + delta,
        )
    Prompt.objects.update(created_at=timezone.now() + delta)


def titles():
    return list(Session.objects.order_by("-last_activity_at").values_list("title", flat=True))


def test_the_lease_of_a_dead_runner_ends_after_its_own_time(owner, settings):
    settings.CHAT = {"LEASE_S": 30}
    session = send(owner, "one")
    assert leases.claim(session.pk, "dead") is not None
    shift(HOUR)
    assert clock.bring_back()
    session.refresh_from_db()
    soon = timezone.now() + timedelta(seconds=31)
    assert is_held(session, timezone.now()), "its runner may live, and renews within this time"
    assert not is_held(session, soon)


def test_a_lease_of_a_clock_that_is_right_is_left_alone(owner):
    session = send(owner, "one")
    assert leases.claim(session.pk, "alive") is not None
    before = Session.objects.get().lease_until
    assert clock.bring_back() == 0
    assert Session.objects.get().lease_until == before


def test_the_chat_that_is_used_now_comes_first(owner):
    for name in ("one", "two", "three"):
        send(owner, name)
    before = titles()
    shift(HOUR)
    clock.bring_back()
    assert titles() == before == ["three", "two", "one"]
    send(owner, "four")
    assert titles() == ["four", "three", "two", "one"]


def test_an_agent_is_not_kept_for_the_hour_beside_its_time(owner, settings):
    settings.CHAT = {"IDLE_TTL_S": 60}
    session = send(owner, "one")
    session.state = "DETACHED"
    session.unwatched_since = timezone.now() + HOUR
    _, left_s = idle.left(session, now=timezone.now())
    assert left_s <= 60


def test_prompts_that_wait_are_dated_now_and_the_log_is_not_touched(owner):
    send(owner, "one")
    times = list(Event.objects.order_by("seq").values_list("ts", flat=True))
    shift(HOUR)
    clock.bring_back()
    assert Prompt.objects.get().created_at <= timezone.now()
    assert list(Event.objects.order_by("seq").values_list("ts", flat=True)) == times


def test_guesses_from_the_future_lock_no_one_out(owner):
    for _ in range(throttle.MAX_PER_NAME):
        assert throttle.attempt("owner", "192.0.2.1") == 0
    LoginThrottle.objects.update(resets_at=timezone.now() + throttle.WINDOW + HOUR)
    assert throttle.attempt("owner", "192.0.2.1") == 0


def test_guesses_at_once_count_though_their_clocks_were_read_in_another_order(owner):
    # A guess that waited for the database has an older time than the window that it meets.
    for _ in range(throttle.MAX_PER_NAME):
        throttle.attempt("owner", "192.0.2.1")
    LoginThrottle.objects.update(resets_at=timezone.now() + throttle.WINDOW + SECONDS)
    assert throttle.attempt("owner", "192.0.2.1") > 0


def test_prompts_sent_at_once_count_though_their_clocks_were_read_in_another_order(owner, settings):
    settings.CHAT = {"SENDS_PER_MINUTE": 1}
    send(owner, "one")
    Prompt.objects.update(created_at=timezone.now() + SECONDS)
    with pytest.raises(RateLimited) as refused:
        send(owner, "two")
    assert 1 <= refused.value.fields["retryAfter"] <= 61


def test_a_link_does_not_live_longer_than_a_new_one(owner):
    path = links.one_time_link(owner)
    LoginLink.objects.update(expires_at=timezone.now() + links.LINK_LIFETIME + HOUR)
    assert links.use_link(path.rstrip("/").rsplit("/", 1)[-1]) is None


def test_the_last_use_of_a_token_is_told_again(owner):
    token = tokens.create_token(owner)
    ApiToken.objects.update(last_used_at=timezone.now() + HOUR)
    assert tokens.user_of_token(token) == owner
    assert ApiToken.objects.get().last_used_at <= timezone.now()


def test_the_lock_of_periodic_sync_is_not_held_for_the_hour(settings):
    settings.CHAT = {"LEASE_S": 30}
    assert lock.acquire("dead")
    assert not lock.acquire("next")
    SyncLock.objects.update(held_until=timezone.now() + HOUR)
    assert lock.acquire("next")


def test_a_stream_of_a_dead_process_is_reaped_after_its_own_time(owner, settings):
    settings.CHAT = {"LEASE_S": 30}
    Connection.objects.create(
        user=owner,
        process="elsewhere:1:ab",
        last_seen_at=timezone.now() + HOUR,
        opened_at=timezone.now(),
    )
    closing.reap()
    assert Connection.objects.get().closed_at is None, "it may live, and renews within this time"
    closing.reap(timezone.now() + timedelta(seconds=31))
    assert Connection.objects.get().closed_at is not None
