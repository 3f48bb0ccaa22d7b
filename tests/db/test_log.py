"""The event log: I1, I2 and I12 on the real database."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth import get_user_model
from django.db import DatabaseError, connection, connections, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sessions.core.errors import AppendOnly, InvalidRequest, LeaseLost, UnknownSession
from sessions.eventlog import fold, snapshot, store
from sessions.eventlog.events import Draft
from sessions.eventlog.lease import Lease
from sessions.eventlog.store import Batch
from sessions.models import Event, Session
from sessions.runner.leasing import leases
from tests.support import turns

NOTE = Draft("error", {"code": "note", "error": "x"})


@pytest.fixture
def session(db):
    return new_session()


def new_session():
    owner, _ = get_user_model().objects.get_or_create(username="owner")
    return Session.objects.create(owner=owner, agent="demo")


def seqs(session):
    return list(Event.objects.filter(session=session).values_list("seq", flat=True))


def test_head_is_0_without_events_and_for_an_unknown_session(session):
    assert store.get_head_seq(session.pk) == 0
    assert store.get_head_seq(Session(pk=None).pk or session.pk) == 0


def test_append_numbers_from_1_without_holes(session):
    first = store.append(session.pk, [NOTE, NOTE])
    second = store.append(session.pk, [NOTE])
    assert [event.seq for event in [*first, *second]] == [1, 2, 3]
    assert store.get_head_seq(session.pk) == 3


def test_a_change_of_state_alone_is_no_activity(session):
    looked_at = Draft(
        "session_state_changed",
        {"from": "ACTIVE", "state": "DETACHED", "runState": "idle", "reason": "unwatched"},
    )
    before = session.last_activity_at
    store.append(session.pk, [looked_at])
    session.refresh_from_db()
    assert session.last_activity_at == before
    store.append(session.pk, [looked_at, NOTE])
    session.refresh_from_db()
    assert session.last_activity_at > before


def test_append_costs_three_statements_when_only_deltas_come(
    session, django_assert_max_num_queries
):
    delta = Draft("block_delta", {"messageId": "m", "blockId": "b", "delta": "x"})
    # The savepoint of the test's own transaction adds two.
    with django_assert_max_num_queries(4):
        store.append(session.pk, [delta] * 100)


def test_read_is_bounded_on_both_sides(session):
    store.append(session.pk, [NOTE] * 10)
    assert [e.seq for e in store.read(session.pk, after=3, limit=4)] == [4, 5, 6, 7]
    assert [e.seq for e in store.read(session.pk, after=3, limit=100, upto=5)] == [4, 5]


def test_append_to_an_unknown_session_raises_and_stores_nothing(session):
    unknown = Session().pk
    with pytest.raises(UnknownSession):
        store.append(unknown, [NOTE])
    assert not Event.objects.exists()


def test_a_malformed_draft_stops_the_whole_append(session):
    with pytest.raises(InvalidRequest):
        store.append(session.pk, [NOTE, Draft("nonsense", {})])
    assert store.get_head_seq(session.pk) == 0


def test_a_late_runner_is_fenced_off(session):
    late = leases.claim(session.pk, "first")
    Session.objects.filter(pk=session.pk).update(lease_until=None)
    current = leases.claim(session.pk, "second")
    assert late is not None
    assert current is not None
    with pytest.raises(LeaseLost):
        store.append(session.pk, [NOTE], lease=late)
    assert [e.seq for e in store.append(session.pk, [NOTE], lease=current)] == [1]


def test_one_refused_batch_does_not_stop_the_others(db):
    good, bad = new_session(), new_session()
    batches = {
        good.pk: Batch([NOTE]),
        bad.pk: Batch([NOTE], Lease(bad.pk, "nobody", 7)),
        Session().pk: Batch([NOTE]),
    }
    outcomes = store.append_many(batches)
    kinds = [type(outcome) for outcome in outcomes.values()]
    assert kinds.count(list) == 1
    assert {LeaseLost, UnknownSession} < set(kinds)
    assert seqs(good) == [1]
    assert seqs(bad) == []


def test_an_event_cannot_be_changed_or_deleted(session):
    store.append(session.pk, [NOTE])
    event = Event.objects.get()
    refused = [
        event.save,
        event.delete,
        Event.objects.all().delete,
        lambda: Event.objects.update(type="x"),
        lambda: Event.objects.bulk_update([event], ["type"]),
    ]
    for change in refused:
        with pytest.raises(AppendOnly):
            change()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        connection.cursor().execute("UPDATE chat_sessions_event SET type = 'x'")
    assert Event.objects.get().type == "error"


def test_commits_are_announced_after_the_commit_in_order(
    session, django_capture_on_commit_callbacks
):
    heard = []

    def listener(session_id, head, events, **_):
        heard.append((head, [event.seq for event in events]))

    store.committed.connect(listener)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            store.append(session.pk, [NOTE, NOTE])
            assert heard == []
        assert heard == [(2, [1, 2])]
    finally:
        store.committed.disconnect(listener)


@pytest.mark.django_db(transaction=True)
def test_i1_i2_fifty_writers_on_one_session_leave_no_hole():
    session = new_session()
    violations = []
    done = threading.Event()

    def watch():
        while not done.is_set():
            seen = seqs(session)
            if seen != list(range(1, len(seen) + 1)):
                violations.append(seen)
        connections.close_all()

    def write(_):
        store.append(session.pk, [NOTE] * 3)
        connections.close_all()

    reader = threading.Thread(target=watch)
    reader.start()
    try:
        with ThreadPoolExecutor(50) as pool:
            list(pool.map(write, range(50)))
    finally:
        done.set()
        reader.join()
    assert violations == []
    assert seqs(session) == list(range(1, 151))
    assert store.get_head_seq(session.pk) == 150


@pytest.mark.django_db(transaction=True)
def test_fifty_sessions_at_once_lose_nothing_and_lock_nobody_out():
    sessions = [new_session() for _ in range(50)]

    def write(session):
        for _ in range(5):
            store.append(session.pk, [NOTE, NOTE])
        connections.close_all()

    with ThreadPoolExecutor(50) as pool:
        list(pool.map(write, sessions))
    assert [seqs(session) for session in sessions] == [list(range(1, 11))] * 50


@pytest.mark.django_db
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(drafts=turns.logs(), cuts=st.data())
def test_i12_snapshot_plus_later_events_is_the_later_snapshot(drafts, cuts):
    """I12, over random logs appended in random batches, folded from every batch's end."""
    with transaction.atomic():
        session = new_session()
        snapshots, rest = [snapshot.take(session.pk)], list(drafts)
        while rest:
            size = cuts.draw(st.integers(1, len(rest)))
            store.append(session.pk, rest[:size])
            rest = rest[size:]
            snapshots.append(snapshot.take(session.pk))
        last = snapshots[-1]
        events = [e.envelope() for e in store.read(session.pk, after=0, limit=10_000)]
        assert last["cursor"] == len(events) == len(drafts)
        for earlier in snapshots:
            folded = fold.fold_all(earlier, events[earlier["cursor"] :])
            assert shown(folded) == shown(last)
        transaction.set_rollback(True)


def shown(taken):
    """What a client shows: the paging fields are of the answer, not of the fold."""
    return {key: taken[key] for key in fold.empty("")} | {"messages": taken["messages"][-20:]}
