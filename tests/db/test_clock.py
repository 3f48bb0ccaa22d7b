"""A clock that is set back: rows dated in the future do not hold anything up."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from sessions.control.send import send_message
from sessions.eventlog.lease import is_held
from sessions.models import Command, Event, Session
from sessions.runner import clock, idle, leases

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


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
    Command.objects.update(created_at=timezone.now() + delta)


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
    assert Command.objects.get().created_at <= timezone.now()
    assert list(Event.objects.order_by("seq").values_list("ts", flat=True)) == times
