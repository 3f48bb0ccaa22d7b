"""Counters move once, where the thing happens."""

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from prometheus_client import REGISTRY

from sessions.eventlog import store
from sessions.eventlog.events import Draft
from sessions.models import Session
from sessions.web import monitoring
from transport.models import Watch
from transport.rows import connections
from transport.sync import rounds

pytestmark = pytest.mark.django_db(transaction=True)


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.fixture
def session() -> Session:
    made = Session.objects.create(owner=User.objects.create_user("ada"), agent="demo")
    created = {"title": "t", "agent": "demo", "mode": "", "cwd": "/"}
    store.append(made.pk, [Draft("session_created", created)])
    return made


def test_events_are_counted_when_they_are_committed(session: Session) -> None:
    before = value("backstay_events_appended_total", type="title_changed")
    with transaction.atomic():
        store.append(session.pk, [Draft("title_changed", {"title": "lost"})])
        transaction.set_rollback(True)
    assert value("backstay_events_appended_total", type="title_changed") == before
    batches = value("backstay_append_batch_events_count")
    store.append(session.pk, [Draft("title_changed", {"title": "kept"})] * 2)
    assert value("backstay_events_appended_total", type="title_changed") == before + 2
    assert value("backstay_append_batch_events_count") == batches + 1


def test_a_sync_round_counts_its_decisions_unless_it_is_a_rehearsal(session: Session) -> None:
    connections.open_connection(session.owner, user_agent="test", watches=[(session.pk, 0)])
    Watch.objects.update(cursor_sent=0)
    rounds_before = value("backstay_sync_round_seconds_count")
    [decision] = rounds.sync_round(batch=50, max_gap=200, dry_run=True)
    name = str(decision.outcome)
    before = value("backstay_sync_decisions_total", decision=name)
    rounds.sync_round(batch=50, max_gap=200)
    assert value("backstay_sync_decisions_total", decision=name) == before + 1
    assert value("backstay_sync_round_seconds_count") == rounds_before + 2


def test_a_scrape_takes_two_queries(session: Session, django_assert_num_queries) -> None:
    with django_assert_num_queries(2):
        text = monitoring.render_metrics().decode()
    assert 'backstay_sessions{run_state="idle",state="CREATED"} 1.0' in text
