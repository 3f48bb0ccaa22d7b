"""Periodic sync on the real database: every state with every gap, and what may come between."""

import asyncio
from datetime import timedelta
from functools import partial
from itertools import product
from uuid import UUID, uuid4

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone

from sessions.core.host import process_name
from sessions.core.states import SYNCED_STATES, SessionState
from sessions.eventlog import store
from sessions.eventlog.events import Draft
from sessions.models import Event, Message, Session
from transport.asgi import Writer
from transport.live import node
from transport.live.catchup import Action, CatchUp, Plan
from transport.live.stream import Stream
from transport.models import Connection, SyncLock, Watch
from transport.rows import closing, pool, presence
from transport.sync import lock, loop, rounds
from transport.sync.rounds import Outcome

NOTE = Draft("error", {"code": "note", "error": "x"})
HEAD = 300
LIMITS = {"batch": 50, "max_gap": 200}
GAPS = {0: 0, 1: 1, 49: 49, 50: 50, 51: 50, 199: 50, 200: 50}


@pytest.fixture
def owner(db):
    return get_user_model().objects.create_user("owner")


def make_session(owner, *, state=SessionState.ACTIVE, head=HEAD, pruned_to=0) -> Session:
    session = Session.objects.create(owner=owner, agent="demo", state=state, pruned_to=pruned_to)
    store.append(session.pk, [NOTE] * head)
    return session


def make_connection(owner, *, seen_ago_s: float = 0, process: str = process_name()) -> Connection:
    seen = timezone.now() - timedelta(seconds=seen_ago_s)
    return Connection.objects.create(user=owner, process=process, opened_at=seen, last_seen_at=seen)


def make_watch(connection, session, cursor, **fields) -> Watch:
    values = {"opened_at": timezone.now(), "cursor_sent": cursor, "done_version": 1, **fields}
    return Watch.objects.create(connection=connection, session=session, **values)


@pytest.fixture
def watch(owner):
    def make(gap: int, *, state=SessionState.ACTIVE, connection=None, **fields) -> Watch:
        session = make_session(owner, state=state, pruned_to=fields.pop("pruned_to", 0))
        return make_watch(connection or make_connection(owner), session, HEAD - gap, **fields)

    return make


def only(decisions):
    [decision] = decisions
    return decision


def ordered(watch) -> tuple[str, int | None, int | None] | None:
    watch.refresh_from_db()
    if watch.order_version == watch.done_version:
        return None
    return watch.order, watch.order_cursor, watch.order_upto


@pytest.mark.parametrize(
    ("state", "gap"), list(product(SessionState, [*GAPS, 201, 299, -1])), ids=str
)
def test_i6_every_state_with_every_gap(watch, state, gap):
    row = watch(gap, state=state)
    decision = only(rounds.sync_round(**LIMITS))
    if state not in SYNCED_STATES:
        assert (decision.outcome, ordered(row)) == (Outcome.NOT_SYNCED, None)
    elif gap == 0:
        assert (decision.outcome, ordered(row)) == (Outcome.UP_TO_DATE, None)
    elif gap < 0:
        assert decision.outcome is Outcome.RESET
        assert ordered(row) == ("sync", HEAD + 1, HEAD)
    elif gap > 200:
        assert (decision.outcome, decision.events) == (Outcome.SKIP, gap)
        assert ordered(row) == ("sync", HEAD - gap, HEAD)
    else:
        assert (decision.outcome, decision.events) == (Outcome.REPLAY, GAPS[gap])
        assert ordered(row) == ("sync", HEAD - gap, HEAD - gap + GAPS[gap])


def test_unknown_state_is_not_synced():
    given = {"cursor": 0, "head": 10, **LIMITS}
    assert rounds.decide(state=None, **given) == (Outcome.NOT_SYNCED, 0)
    assert rounds.decide(state="SOMETHING", **given) == (Outcome.NOT_SYNCED, 0)


def test_pruned_range_is_skipped(watch):
    row = watch(100, pruned_to=HEAD - 99)
    assert only(rounds.sync_round(**LIMITS)).outcome is Outcome.SKIP
    assert ordered(row) == ("sync", HEAD - 100, HEAD)


@pytest.mark.parametrize(
    ("gap", "position", "outcome", "order"),
    [
        (10, HEAD, Outcome.UP_TO_DATE, None),
        (250, HEAD, Outcome.UP_TO_DATE, None),
        # It has sent events that were appended after the rows were read.
        (10, HEAD + 7, Outcome.UP_TO_DATE, None),
        (250, HEAD - 10, Outcome.REPLAY, ("sync", HEAD - 10, HEAD)),
        # The row was flushed after the cursor was asked for.
        (10, HEAD - 20, Outcome.REPLAY, ("sync", HEAD - 10, HEAD)),
        (10, None, Outcome.REPLAY, ("sync", HEAD - 10, HEAD)),
        (-1, HEAD, Outcome.RESET, ("sync", HEAD + 1, HEAD)),
    ],
)
def test_a_stream_of_this_process_counts_by_its_own_cursor(watch, gap, position, outcome, order):
    row, asked = watch(gap), []

    def told(*names):
        asked.append(names)
        return position

    assert only(rounds.sync_round(**LIMITS, position=told)).outcome is outcome
    assert ordered(row) == order
    assert asked == [(row.connection_id, row.session_id)]


def test_what_is_merely_not_flushed_costs_a_round_no_statement(owner, django_assert_num_queries):
    session = make_session(owner)
    rows = [make_watch(make_connection(owner), session, HEAD - 5) for _ in range(20)]
    with django_assert_num_queries(2):
        decided = rounds.sync_round(**LIMITS, position=lambda *_: HEAD)
    assert {decision.outcome for decision in decided} == {Outcome.UP_TO_DATE}
    assert [ordered(row) for row in rows] == [None] * 20


@pytest.mark.parametrize("state", [s for s in SessionState if s not in SYNCED_STATES])
def test_state_that_changes_between_check_and_order_counts(watch, monkeypatch, state):
    row = watch(10)
    real = store.boundary

    def moved_meanwhile(session_id):
        Session.objects.filter(pk=session_id).update(state=state)
        return real(session_id)

    monkeypatch.setattr(rounds.store, "boundary", moved_meanwhile)
    assert only(rounds.sync_round(**LIMITS)).outcome is Outcome.NOT_SYNCED
    assert ordered(row) is None


def test_event_appended_during_the_round_belongs_to_the_order(watch, monkeypatch):
    row = watch(10)
    real = store.boundary

    def appended_meanwhile(session_id):
        store.append(session_id, [NOTE] * 5)
        return real(session_id)

    monkeypatch.setattr(rounds.store, "boundary", appended_meanwhile)
    decision = only(rounds.sync_round(**LIMITS))
    assert (decision.outcome, decision.events, decision.head) == (Outcome.REPLAY, 15, HEAD + 5)
    assert ordered(row) == ("sync", HEAD - 10, HEAD + 5)


def test_gap_that_grows_over_the_limit_during_the_round_is_skipped(watch, monkeypatch):
    row = watch(200)
    real = store.boundary

    def appended_meanwhile(session_id):
        store.append(session_id, [NOTE])
        return real(session_id)

    monkeypatch.setattr(rounds.store, "boundary", appended_meanwhile)
    assert only(rounds.sync_round(**LIMITS)).outcome is Outcome.SKIP
    assert ordered(row) == ("sync", HEAD - 200, HEAD + 1)


def test_session_deleted_in_between_is_gone_and_others_go_on(watch, monkeypatch):
    first, second = watch(10), watch(10)
    real = store.boundary

    def deleted_meanwhile(session_id):
        if session_id == first.session_id:
            # Past the guards of the ORM: as a restore of an older database would leave it.
            for rows in (Event, Message, Watch):
                rows.objects.filter(session_id=session_id)._raw_delete("default")
            Session.objects.filter(pk=session_id)._raw_delete("default")
        return real(session_id)

    monkeypatch.setattr(rounds.store, "boundary", deleted_meanwhile)
    outcomes = {d.session_id: d.outcome for d in rounds.sync_round(**LIMITS)}
    assert outcomes == {first.session_id: Outcome.GONE, second.session_id: Outcome.REPLAY}


def test_head_query_that_raises_stops_neither_the_round_nor_the_next(watch, monkeypatch, caplog):
    first, second = watch(10), watch(10)
    real = store.boundary

    def broken(session_id):
        if session_id == first.session_id:
            raise OSError("the disk is gone")
        return real(session_id)

    with monkeypatch.context() as patch:
        patch.setattr(rounds.store, "boundary", broken)
        outcomes = {d.session_id: d.outcome for d in rounds.sync_round(**LIMITS)}
    assert outcomes == {first.session_id: Outcome.FAILED, second.session_id: Outcome.REPLAY}
    assert "periodic sync failed for one watch" in caplog.text
    again = {d.session_id: d.outcome for d in rounds.sync_round(**LIMITS)}
    assert again == {first.session_id: Outcome.REPLAY, second.session_id: Outcome.BUSY}


def test_order_of_somebody_else_is_not_overwritten(watch, monkeypatch):
    row = watch(10)
    real = store.boundary

    def resumed_meanwhile(session_id):
        Watch.objects.filter(pk=row.pk).update(order="resume", order_cursor=3, order_version=2)
        return real(session_id)

    monkeypatch.setattr(rounds.store, "boundary", resumed_meanwhile)
    assert only(rounds.sync_round(**LIMITS)).outcome is Outcome.BUSY
    assert ordered(row) == ("resume", 3, None)


@pytest.mark.parametrize("what", ["closed watch", "closed connection", "lease", "not caught up"])
def test_only_open_watches_of_live_connections_are_looked_at(owner, what):
    session = make_session(owner)
    connection = make_connection(owner, seen_ago_s=3600 if what == "lease" else 0)
    fields = {"closed_at": timezone.now()} if what == "closed watch" else {}
    make_watch(connection, session, None if what == "not caught up" else 290, **fields)
    if what == "closed connection":
        closing.close(connection.pk, "test")
    assert rounds.sync_round(**LIMITS) == []


def test_forty_lagging_sessions_do_not_starve_the_forty_first(owner):
    crowded = make_connection(owner)
    lagging = [make_watch(crowded, make_session(owner, head=120), 0) for _ in range(41)]
    alone = make_watch(make_connection(owner), make_session(owner), HEAD - 1)
    served: set[int] = set()
    for _ in range(3):
        decisions = rounds.sync_round(**LIMITS)
        assert ordered(alone) is not None
        now = [row for row in lagging if ordered(row) is not None]
        assert 0 < len(now) <= rounds.BATCHES_PER_CONNECTION
        assert sum(d.outcome is Outcome.NEXT_ROUND for d in decisions) == 41 - len(now)
        served |= {row.pk for row in now}
        for row in [*now, alone]:  # the owner carries the orders out
            Watch.objects.filter(pk=row.pk).update(
                done_version=row.order_version, decided_at=timezone.now()
            )
    assert served == {row.pk for row in lagging}


def noted(watch) -> str:
    watch.refresh_from_db()
    return watch.sync_decision


def test_rows_tell_what_the_last_round_decided(watch, monkeypatch):
    ended, even = watch(7, state=SessionState.ENDED), watch(0)
    near, far = watch(10), watch(201)
    rounds.sync_round(**LIMITS)
    told = {"not synced": ended, "up to date": even, "replay": near, "skip": far}
    assert [noted(row) for row in told.values()] == list(told)
    rounds.sync_round(**LIMITS)
    assert [noted(near), noted(far)] == ["busy", "busy"]
    Watch.objects.filter(pk=near.pk).update(done_version=2, cursor_sent=HEAD)
    rounds.sync_round(**LIMITS)
    assert noted(near) == "up to date"
    Watch.objects.filter(pk=near.pk).update(cursor_sent=1)
    monkeypatch.setattr(rounds, "BATCHES_PER_CONNECTION", 0)
    rounds.sync_round(**LIMITS)
    assert noted(near) == "next round"
    monkeypatch.undo()
    monkeypatch.setattr(rounds.store, "boundary", lambda _: 1 / 0)
    rounds.sync_round(**LIMITS)
    assert noted(near) == "failed"


def test_rows_tell_when_it_was_decided_without_a_write_in_every_round(watch):
    row = watch(0)
    rounds.sync_round(**LIMITS)
    row.refresh_from_db()
    first = row.synced_at
    assert timezone.now() - first < timedelta(minutes=1)
    rounds.sync_round(**LIMITS)
    row.refresh_from_db()
    assert row.synced_at == first
    Watch.objects.update(synced_at=first - timedelta(seconds=rounds.NOTE_EVERY_S))
    rounds.sync_round(**LIMITS)
    row.refresh_from_db()
    assert row.synced_at > first


def test_a_round_asks_the_database_the_same_however_many_watch(owner, django_assert_num_queries):
    live, ended = make_session(owner, head=3), make_session(owner, state=SessionState.ENDED, head=3)
    for _ in range(20):
        connection = make_connection(owner)
        for session in (live, ended):
            make_watch(connection, session, 3)
    # The watches, and each of two decisions written once for all of its rows.
    with django_assert_num_queries(3):
        assert len(rounds.sync_round(**LIMITS)) == 40
    with django_assert_num_queries(1):
        rounds.sync_round(**LIMITS)


def test_dry_run_changes_nothing_and_prints_a_table(watch, capsys):
    row = watch(10)
    make_watch(row.connection, make_session(row.session.owner, state=SessionState.ENDED), 0)
    call_command("periodic_sync", "--dry-run")
    lines = capsys.readouterr().out.strip().splitlines()
    assert lines[0].split() == [
        "connection", "session", "state", "head", "cursor", "gap", "decision", "events",
    ]  # fmt: skip
    told = {line.split()[2]: line.split()[3:] for line in lines[1:]}
    assert told["ACTIVE"] == ["300", "290", "10", "replay", "10"]
    assert told["ENDED"] == ["300", "0", "300", "not", "synced", "0"]
    assert ordered(row) is None
    assert noted(row) == ""
    assert SyncLock.objects.filter(held_until__isnull=False).count() == 0


def test_once_takes_the_options_and_gives_the_lock_back(watch, capsys):
    row = watch(30)
    call_command("periodic_sync", "--once", "--batch", "7", "--max-gap", "40")
    assert ordered(row) == ("sync", HEAD - 30, HEAD - 23)
    assert lock.acquire("another")
    other = watch(41)
    with pytest.raises(CommandError, match="Another copy"):
        call_command("periodic_sync", "--once")
    lock.release("another")
    call_command("periodic_sync", "--once", "--max-gap", "40")
    assert ordered(other) == ("sync", HEAD - 41, HEAD)


@pytest.mark.parametrize("options", [["--batch", "0"], ["--max-gap", "-1"], ["--interval", "0"]])
def test_options_that_make_no_sense_are_refused(db, options):
    with pytest.raises(CommandError):
        call_command("periodic_sync", "--once", *options)


def test_lock_has_one_holder_and_passes_on_when_its_lease_ends(db):
    now = timezone.now()
    assert lock.acquire("first", now=now)
    assert lock.acquire("first", now=now + timedelta(seconds=20))
    assert not lock.acquire("second", now=now + timedelta(seconds=40))
    assert lock.acquire("second", now=now + timedelta(seconds=51))
    assert not lock.acquire("first", now=now + timedelta(seconds=52))
    lock.release("first")  # it is not the holder any more
    assert not lock.acquire("first", now=now + timedelta(seconds=53))
    lock.release("second")
    assert lock.acquire("first", now=now + timedelta(seconds=54))


def test_a_pause_between_rounds_belongs_to_the_lease(db):
    """Two copies with --interval 60 would take turns otherwise."""
    now = timezone.now()
    assert lock.acquire("first", pause_s=60, now=now)
    assert not lock.acquire("second", pause_s=60, now=now + timedelta(seconds=61))
    assert lock.acquire("first", pause_s=60, now=now + timedelta(seconds=61))


def test_lock_is_renewed_by_its_holder_alone(db):
    now = timezone.now()
    assert lock.acquire("first", now=now)
    assert lock.renew("first", now=now + timedelta(seconds=20))
    assert not lock.acquire("second", now=now + timedelta(seconds=40))
    assert not lock.renew("second", now=now + timedelta(seconds=40))
    assert lock.acquire("second", now=now + timedelta(seconds=51))
    assert not lock.renew("first", now=now + timedelta(seconds=52))
    lock.release("second")
    assert not lock.renew("first", now=now + timedelta(seconds=53))


def test_a_long_round_renews_its_lease_and_ends_when_it_has_lost_it(owner, monkeypatch):
    monkeypatch.setattr(rounds, "WATCHES_PER_STEP", 2)
    for _ in range(7):
        make_watch(make_connection(owner), make_session(owner, head=3), 1)
    real, held = store.boundary, []

    def looked_at(session_id):
        row = SyncLock.objects.get()
        held.append(row.held_until)
        if len(held) == 5:
            # It took so long that another copy has begun.
            SyncLock.objects.update(holder="another")
        return real(session_id)

    monkeypatch.setattr(rounds.store, "boundary", looked_at)
    assert lock.acquire(process_name())
    may_continue = partial(lock.renew, process_name())
    decisions = rounds.sync_round(**LIMITS, may_continue=may_continue)
    assert len(decisions) == len(held) == 6
    assert held[0] < held[2] < held[4]
    assert SyncLock.objects.get().holder == "another"


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("stream_threads")
async def test_copy_that_sleeps_between_rounds_keeps_the_lock(settings):
    settings.CHAT = {"LEASE_S": 0.3}

    def is_held(holder: str) -> bool:
        return SyncLock.objects.filter(holder=holder, held_until__gt=timezone.now()).exists()

    running = asyncio.create_task(loop.run(interval_s=60))
    try:
        async with asyncio.timeout(30):
            while not await pool.run(is_held, process_name()):
                await asyncio.sleep(0.01)
            until = timezone.now() + timedelta(seconds=0.6)
            while timezone.now() < until:  # twice the lease alone
                assert not await pool.run(lock.acquire, "another", pause_s=60)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert await pool.run(lock.acquire, "another")


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("stream_threads")
async def test_rounds_of_a_process_ask_its_streams_for_their_cursors():
    def make() -> Watch:
        owner = get_user_model().objects.create_user("owner")
        return make_watch(make_connection(owner), make_session(owner), HEAD - 10)

    async def written(_part) -> None: ...

    row = await pool.run(make)
    here = node.Node()
    stream = Stream(
        row.connection_id, hub=here.hub, writer=Writer(written), spread_ms=here.spread_ms
    )
    here.streams[row.connection_id] = stream
    stream.watches.begin(row.session_id)
    stream.watches.caught_up(
        row.session_id, CatchUp(Plan(Action.SNAPSHOT, None, HEAD), [], HEAD), version=1
    )
    assert here.position(row.connection_id, row.session_id) == HEAD
    assert here.position(uuid4(), row.session_id) is None
    assert here.position(row.connection_id, uuid4()) is None
    running = asyncio.create_task(loop.run(interval_s=60, position=here.position))
    try:
        async with asyncio.timeout(30):
            while await pool.run(noted, row) != "up to date":
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert await pool.run(ordered, row) is None


def test_lock_of_a_killed_copy_on_this_host_is_taken_over_at_once(db):
    async def died() -> int:
        process = await asyncio.create_subprocess_exec("true")
        await process.wait()
        return process.pid

    host = process_name().split(":")[0]
    assert lock.acquire(f"{host}:{asyncio.run(died())}:abcd")
    assert lock.acquire("another")
    assert not lock.acquire(process_name())


def test_reaping_closes_only_what_is_dead_and_a_late_close_touches_nothing_newer(owner):
    session = make_session(owner)
    live, stale = make_connection(owner), make_connection(owner, seen_ago_s=31, process="h:1:x")
    for connection in (live, stale):
        make_watch(connection, session, 1)
    assert closing.reap() == [session.pk]
    stale.refresh_from_db()
    live.refresh_from_db()
    assert stale.closed_at is not None
    assert live.closed_at is None
    assert closing.close(stale.pk, "late") == []
    assert closing.close(uuid4(), "unknown") == []
    live.refresh_from_db()
    assert live.closed_at is None
    stale.refresh_from_db()
    assert stale.close_reason == "process gone"


def test_watchers_of_a_dead_process_are_counted_when_the_count_has_failed_once(owner, monkeypatch):
    session = make_session(owner)
    make_watch(make_connection(owner, process="h:1:x"), session, 1)
    presence.refresh([session.pk])
    Connection.objects.update(last_seen_at=timezone.now() - timedelta(seconds=31))
    real, failures = presence.refresh, [OperationalError("the database is away")]

    def refresh(session_ids):
        if session_ids and failures:
            raise failures.pop()
        real(session_ids)

    monkeypatch.setattr(presence, "refresh", refresh)
    uncounted: set[UUID] = set()
    with pytest.raises(OperationalError):
        rounds.clean_up(uncounted)
    rounds.clean_up(uncounted)
    assert uncounted == set()
    session.refresh_from_db()
    assert session.state == SessionState.DETACHED


def test_rows_of_long_closed_connections_are_forgotten(owner):
    old, new = make_connection(owner), make_connection(owner)
    for connection in (old, new):
        closing.close(connection.pk, "test")
    Connection.objects.filter(pk=old.pk).update(closed_at=timezone.now() - timedelta(days=2))
    rounds.clean_up(set())
    assert list(Connection.objects.all()) == [new]
