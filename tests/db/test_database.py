"""The database connection: the options that the event log relies on."""

import threading

import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction


@pytest.mark.django_db(transaction=True)
def test_connection_has_the_options_that_the_log_relies_on() -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA journal_mode")
            assert cursor.fetchone() == ("wal",)
            cursor.execute("PRAGMA foreign_keys")
            assert cursor.fetchone() == (1,)
            cursor.execute("PRAGMA synchronous")
            assert cursor.fetchone() == (1,)
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
