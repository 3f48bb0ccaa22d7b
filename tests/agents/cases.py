"""The backends of a case, and those that lack what it needs."""

from __future__ import annotations

import pytest

from tests.agents.backends import BACKENDS
from tests.agents.contract import Backend


def backends(*needs: str) -> pytest.MarkDecorator:
    """Run a test for each backend that offers what it needs; the table has the others' reasons."""
    offered = [backend for backend in BACKENDS if backend.not_offered.keys().isdisjoint(needs)]
    needed = pytest.mark.needs(*needs)
    return pytest.mark.parametrize(
        "backend", [pytest.param(b, id=b.name, marks=[needed, *_marks(b)]) for b in offered]
    )


# A real agent starts in two seconds, and in a minute where many start on a busy machine.
START_S = 240
LIMIT_S = 3 * START_S


def absences(*needs: str, is_extra: bool = False) -> pytest.MarkDecorator:
    """Run a test for each of these needs that a backend does not offer.

    is_extra: of every backend, only `make test-agents` runs it.
    """
    return pytest.mark.parametrize(
        ("backend", "what"),
        [
            pytest.param(b, what, id=f"{b.name}:{what}", marks=_marks(b, is_extra=is_extra))
            for b in BACKENDS
            for what in needs
            if what in b.not_offered
        ],
    )


def _marks(backend: Backend, *, is_extra: bool = False) -> list[pytest.MarkDecorator]:
    real = [pytest.mark.agents, pytest.mark.timeout(LIMIT_S)]
    return real if backend.is_extra or is_extra else []
