"""Fixtures that every kind of test may use: servers of their own, one of each per test process.

A server that is not installed fails the test and says what to install; nothing is skipped.
"""

import asyncio
import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from hypothesis import HealthCheck, settings

import sessions.core.db
import transport.rows.pool
from lab.rig.programs import services
from lab.rig.servers import migrated_database
from sessions.limits import visits

# A shell in the background lets its programs ignore Ctrl-C, and agents would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
# How long an example takes is the machine's affair.
settings.register_profile("any machine", deadline=None, suppress_health_check=list(HealthCheck))
settings.load_profile("any machine")


def pytest_collection_finish() -> None:
    """Leave the modules and the collected tests out of every later collection of garbage."""
    gc.collect()
    gc.freeze()


def pytest_xdist_auto_num_workers() -> int:
    """Return one worker more than processors: tests often wait for what they started."""
    return 1 + (os.cpu_count() or 1)


@pytest.fixture(autouse=True)
def own_umask() -> Iterator[None]:
    """A server's command closes its files to others; a test leaves the process as it was."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)


@pytest.fixture(autouse=True)
def no_request_is_left() -> Iterator[None]:
    """A request that a test begins stays that of its thread: later tests would be charged to it."""
    yield
    visits._current.set(None)
    sessions.core.db.owner.set(None)


@pytest.fixture(autouse=True)
def no_connection_is_left(request: pytest.FixtureRequest) -> None:
    """Threads keep connections of tests before, which a test without a database may not touch."""
    if not request.node.get_closest_marker("django_db"):
        sessions.core.db.threads.close_connections()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """The test database, which no thread of this process is connected to when it is dropped."""
    yield
    sessions.core.db.threads.close_connections()
    transport.rows.pool.threads.close_connections()
    # The one thread in which Django runs what is not async.
    asyncio.run(sync_to_async(connections.close_all)())


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an SQLite database that has its tables."""
    return migrated_database(tmp_path_factory.mktemp("migrated"))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[services.Postgres]:
    """A PostgreSQL server on loopback."""
    with services.postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: services.Postgres) -> str:
    """The DATABASE_URL of an empty database, a new one for each test."""
    return postgres_server.create_database()


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The REDIS_URL of a server on loopback."""
    with services.redis_server() as url:
        yield url
