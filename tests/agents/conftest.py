"""Servers for the agents under test, started when the first test wants one."""

from collections.abc import Iterator

import pytest

from tests.agents.contract import SERVICES


@pytest.fixture(scope="session", autouse=True)
def services() -> Iterator[None]:
    """Stop what was started at the end."""
    with SERVICES.stack:
        yield
