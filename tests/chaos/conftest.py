"""The run on paper that each test of the checker spoils."""

import pytest

from lab.chaos.evidence import Evidence
from tests.chaos.paper import good_run


@pytest.fixture
def good() -> Evidence:
    """A run in which a device saw one turn from its first event on."""
    return good_run()
