"""The admin's page of deliveries."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from sessions.control.send import create_session
from sessions.core.states import SessionState
from sessions.eventlog import store
from sessions.eventlog.events import Draft
from sessions.models import Session
from transport.admin import ago, device_name
from transport.models import Connection, Watch
from transport.rows import closing, progress
from transport.sync import rounds

pytestmark = pytest.mark.django_db

NOTE = Draft("error", {"code": "note", "error": "x"})
PHONE = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36"
LIST = reverse("admin:transport_watch_changelist")


@pytest.fixture
def browser() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada")


def make_watch(owner: User, title: str, *, behind: int = 0, **fields: object) -> Watch:
    session = create_session(owner=owner, agent="demo", title=title)
    store.append(session.pk, [NOTE] * 300)
    now = timezone.now()
    opened = Connection.objects.create(
        user=owner, process="p", user_agent=PHONE, opened_at=now, last_seen_at=now
    )
    return Watch.objects.create(
        connection=opened,
        session=session,
        opened_at=now,
        cursor_sent=301 - behind,
        done_version=1,
        **fields,
    )


def rows_of(browser: Client, **filters: object) -> set[str]:
    page = browser.get(LIST, filters)
    assert page.status_code == 200
    return {str(watch.session) for watch in page.context["cl"].result_list}


def test_page_shows_what_each_device_was_sent_has_applied_and_is_behind(browser, ada):
    make_watch(
        ada,
        "My plan",
        behind=17,
        cursor_acked=250,
        replayed=5,
        skipped=60,
        last_decision="skipped 60 (max_replay_gap)",
        decided_at=timezone.now() - timedelta(minutes=3),
    )
    text = browser.get(LIST).content.decode()
    for fact in ("My plan", "CREATED", "ada", "Chrome Android", "301", "284", "17", "250", "34"):
        assert f">{fact}<" in text, fact
    assert "<div>skipped 60 (max_replay_gap)</div><div>3 min ago</div>" in text
    names = re.findall(r'scope="col" class="[^"]*column-(\w+)', text)
    assert len(names) == 11


def test_page_shows_the_decision_of_the_last_round_beside_what_the_stream_did(browser, ada):
    make_watch(ada, "near", behind=17, last_decision="replayed 5", decided_at=timezone.now())
    even = make_watch(ada, "even")
    ended = make_watch(ada, "ended", behind=1)
    Session.objects.exclude(pk=ended.session_id).update(state=SessionState.ACTIVE)
    Session.objects.filter(pk=ended.session_id).update(state=SessionState.ENDED)
    rounds.sync_round(batch=50, max_gap=200)
    Watch.objects.filter(pk=even.pk).update(synced_at=timezone.now() - timedelta(hours=2))
    text = browser.get(LIST).content.decode()
    for fact in ("replayed 5", "replay", "up to date", "not synced", "2 h ago"):
        assert f">{fact}<" in text, fact
    assert rows_of(browser, sync_decision="not synced") == {"ended"}


def test_page_tells_when_a_device_has_taken_a_ping_and_not_when_its_process_lived(browser, ada):
    watch = make_watch(ada, "My plan")
    pinged = timezone.now() - timedelta(minutes=7)
    progress.flush([], {watch.connection_id: pinged})
    for page in (LIST, reverse("admin:transport_connection_changelist")):
        assert ">7 min ago<" in browser.get(page).content.decode()


def test_totals_stand_on_top(browser, ada):
    make_watch(ada, "one", behind=3, replayed=5, background=True)
    make_watch(ada, "two", behind=250, skipped=7)
    make_watch(ada, "three")
    text = " ".join(browser.get(LIST).content.decode().split())
    assert "<strong>3</strong> connections, <strong>3</strong> deliveries, 1 of them" in text
    assert text.count("in the background") == 2  # the total, and its row
    assert "<strong>2</strong> are behind, by 250 events at most" in text
    assert "Replayed: 5 events; skipped: 7." in text


def test_filters_find_the_lagging_and_the_closed(browser, ada):
    make_watch(ada, "fine", cursor_acked=301)
    make_watch(ada, "near", behind=3, cursor_acked=298)
    make_watch(ada, "far", behind=201)
    closed = make_watch(ada, "closed", behind=9)
    closing.close(closed.connection_id, "test")
    assert rows_of(browser) == {"fine", "near", "far"}
    assert rows_of(browser, lag="lagging") == {"near", "far"}
    assert rows_of(browser, lag="over") == {"far"}
    assert rows_of(browser, lag="unconfirmed") == {"far"}
    assert rows_of(browser, lag="none") == {"fine"}
    assert rows_of(browser, open="closed") == {"closed"}
    assert rows_of(browser, open="all") == {"fine", "near", "far", "closed"}
    assert rows_of(browser, q="near") == {"near"}


def test_each_choice_of_a_filter_has_a_name(browser, ada):
    make_watch(ada, "new")
    make_watch(ada, "seen", sync_decision="replay")
    text = browser.get(LIST).content.decode()
    choices = re.findall(r'<a href="\?[^"]*sync_decision=(\w*)">\s*([^<]*?)\s*</a>', text)
    assert choices == [("", "None yet"), ("replay", "replay")]
    assert not re.search(r'<a href="\?[^"]*">\s*</a>', text)
    assert rows_of(browser, sync_decision="") == {"new"}


def test_one_word_stands_for_each_thing(browser, ada):
    make_watch(ada, "one")
    index = browser.get(reverse("admin:index")).content.decode()
    connections = browser.get(reverse("admin:transport_connection_changelist")).content.decode()
    for text in (index, connections, browser.get(LIST).content.decode()):
        assert "eliveries" in text
        assert not re.search(r">[^<>]*\b(watch(es)?|head|lag)\b[^<>]*<", text, re.IGNORECASE)
    assert "Administration" in index


def test_page_costs_the_same_however_long_it_is(browser, ada):
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            browser.get(LIST)
        return len(queries)

    make_watch(ada, "first")
    before = cost()
    for number in range(5):
        make_watch(ada, f"more {number}")
    assert cost() == before


def test_resync_orders_open_watches_alone(browser, ada):
    watch, closed = make_watch(ada, "open", behind=9), make_watch(ada, "closed")
    closing.close(closed.connection_id, "test")
    chosen = {"action": "resync", "_selected_action": [watch.pk, closed.pk]}
    page = browser.post(f"{LIST}?open=all", chosen, follow=True)
    assert "Ordered for 1 delivery." in page.content.decode()
    watch.refresh_from_db()
    closed.refresh_from_db()
    assert (watch.order, watch.order_version) == ("resync", 2)
    assert closed.order_version == 1


def test_staff_without_the_right_may_look_but_not_resync(ada):
    staff = User.objects.create_user("staff", is_staff=True)
    staff.user_permissions.add(
        *staff.user_permissions.model.objects.filter(codename__in=["view_watch"])
    )
    client = Client()
    client.force_login(staff)
    watch = make_watch(ada, "open", behind=9)
    assert client.get(LIST).status_code == 200
    client.post(LIST, {"action": "resync", "_selected_action": [watch.pk]})
    watch.refresh_from_db()
    assert watch.order_version == 1


def test_nothing_is_written_by_hand(browser, ada):
    watch = make_watch(ada, "open")
    for model, pk in (("watch", watch.pk), ("connection", watch.connection_id)):
        assert browser.get(reverse(f"admin:transport_{model}_change", args=[pk])).status_code == 200
        for view, args in (("add", []), ("delete", [pk])):
            path = reverse(f"admin:transport_{model}_{view}", args=args)
            assert browser.post(path, {"post": "yes"}).status_code == 403
    assert Watch.objects.count() == 1


def test_connections_show_their_deliveries(browser, ada):
    watch = make_watch(ada, "My plan")
    page = browser.get(reverse("admin:transport_connection_changelist"))
    assert "Chrome Android" in page.content.decode()
    path = reverse("admin:transport_connection_change", args=[watch.connection_id])
    assert "My plan" in browser.get(path).content.decode()


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (PHONE, "Chrome Android"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) Version/17.5 Safari/605.1.15", "Safari Mac"),
        ("Mozilla/5.0 (Windows NT 10.0) Gecko/20100101 Firefox/127.0", "Firefox Windows"),
        ("backstay-client/1", "backstay-client/1"),
        ("", "unnamed"),
    ],
)
def test_devices_have_short_names(agent, name):
    assert device_name(agent) == name


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0 s ago"), (59, "59 s ago"), (60, "1 min ago"), (7200, "2 h ago"), (200000, "2 d ago")],
)
def test_times_are_told_in_their_largest_unit(seconds, text):
    assert ago(timedelta(seconds=seconds)) == text
