"""Fixtures that every kind of test may use: servers of their own, one of each per test process.

A server that is not installed fails the test and says what to install; nothing is skipped.
"""

import asyncio
from collections.abc import Iterator

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from hypothesis import HealthCheck, settings

import sessions.core.db
import transport.rows.pool
from lab.rig import services

# How long an example takes is the machine's affair.
settings.register_profile("any machine", deadline=None, suppress_health_check=list(HealthCheck))
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """The test database, which no thread of this process is connected to when it is dropped."""
    yield
    sessions.core.db.threads.close_connections()
    transport.rows.pool.threads.close_connections()
    # The one thread in which Django runs what is not async.
    asyncio.run(sync_to_async(connections.close_all)())


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
