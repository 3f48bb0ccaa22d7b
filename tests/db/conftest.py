"""Fixtures of the tests over the database."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.db.scripting import Script
from tests.support import browsing
from transport.rows import pool


@pytest.fixture
def stream_threads() -> Iterator[None]:
    """The streams' threads, which keep no connection for tests that may not have one."""
    yield
    pool.threads.close_connections()


@pytest.fixture
def user() -> User:
    return User.objects.create_user("ada", password="correct horse")


@pytest.fixture
def logged_in(user: User) -> Client:
    client = browsing.logged_in(user)
    client.get("/")  # the page gives the browser its CSRF cookie
    return client


@pytest.fixture
def ada() -> Script:
    return Script(User.objects.create_user("ada"))


@pytest.fixture
def bob() -> Script:
    return Script(User.objects.create_user("bob"))
