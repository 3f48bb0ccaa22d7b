"""The database connection: the options that the event log relies on."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.utils import timezone

from sessions.control import lifecycle
from sessions.control.send import create_session
from sessions.core.db import consistent_read, without_fsync
from sessions.models import Session
from transport.models import Connection, Watch

FULL = 2
NORMAL = 1


def waits_for_the_disk() -> bool:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA synchronous")
            return cursor.fetchone() != (NORMAL,)
        cursor.execute("SHOW synchronous_commit")
        return cursor.fetchone() != ("off",)


def fail_where_nothing_waits() -> None:
    if not waits_for_the_disk():
        raise ZeroDivisionError


@pytest.mark.django_db(transaction=True)
def test_commits_wait_for_the_disk_again_after_relaxed_ones() -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":  # the tests' own server never waits
            cursor.execute("ALTER ROLE CURRENT_USER SET synchronous_commit = on")
    connection.close()
    try:
        assert waits_for_the_disk()
        with pytest.raises(ZeroDivisionError), without_fsync():
            fail_where_nothing_waits()
        assert waits_for_the_disk()
        with transaction.atomic(), without_fsync():
            assert waits_for_the_disk()
    finally:
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("ALTER ROLE CURRENT_USER RESET synchronous_commit")
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_connection_has_the_options_that_the_log_relies_on() -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA journal_mode")
            assert cursor.fetchone() == ("wal",)
            cursor.execute("PRAGMA foreign_keys")
            assert cursor.fetchone() == (1,)
            cursor.execute("PRAGMA synchronous")
            assert cursor.fetchone() == (FULL,)
        else:
            cursor.execute("SHOW idle_in_transaction_session_timeout")
            assert cursor.fetchone() == ("1min",)


@pytest.mark.django_db(transaction=True)
def test_transactions_that_read_and_then_write_wait_for_one_another() -> None:
    """The case in which SQLite's default, a deferred transaction, fails at once."""
    Group.objects.create(name="0")
    barrier = threading.Barrier(8)
    failures: list[Exception] = []

    def count_up() -> None:
        try:
            barrier.wait()
            for _ in range(10):
                with transaction.atomic():
                    group = Group.objects.select_for_update().get()
                    group.name = str(int(group.name) + 1)
                    group.save()
        except Exception as error:  # noqa: BLE001 (the test reports it)
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=count_up) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert Group.objects.get().name == "80"


@pytest.mark.django_db(transaction=True)
def test_a_locked_session_does_not_hold_up_rows_that_refer_to_it() -> None:
    """Foreign keys are checked at the commit: with the key locked, two such commits deadlock."""
    if connection.vendor == "sqlite":
        # One writer at a time and no row locks: there is nothing to hold up.
        assert not connection.features.has_select_for_update
        return
    user = get_user_model().objects.create(username="alice")
    session = create_session(owner=user, agent="demo", title="chat")
    with ThreadPoolExecutor(1) as other, transaction.atomic():
        lifecycle.locked(session.pk)
        other.submit(_refer_to, session).result(timeout=10)


def _refer_to(session: Session) -> None:
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '2s'")
            now = timezone.now()
            opened = Connection.objects.create(
                user_id=session.owner_id, process="p", opened_at=now, last_seen_at=now
            )
            Watch.objects.create(connection=opened, session=session, opened_at=now)
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_a_consistent_read_within_another_sees_the_same_moment() -> None:
    with consistent_read():
        assert not Group.objects.exists()
        with ThreadPoolExecutor(1) as other:
            other.submit(make_group, "later").result()
        with consistent_read():
            assert not Group.objects.exists()
        assert not Group.objects.exists()
    assert Group.objects.exists()


def make_group(name: str) -> None:
    Group.objects.create(name=name)
    connection.close()
