"""Fixtures of the tests over the database."""

from collections.abc import Iterator

import pytest

from transport.rows import pool


@pytest.fixture
def stream_threads() -> Iterator[None]:
    """The streams' threads, which keep no connection for tests that may not have one."""
    yield
    pool.threads.close_connections()
