"""Fixtures of the rig's real servers: one running, or a function that starts more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from lab.rig.processes import ROOT
from lab.rig.servers import Server
from lab.rig.waiting import eventually

__all__ = ["ROOT", "Server", "eventually", "make_server", "server"]


@pytest.fixture
def server(tmp_path: Path, migrated: Path) -> Iterator[Server]:
    """A running server for one test."""
    running = Server(tmp_path, migrated=migrated)
    try:
        yield running.start()
    finally:
        running.close()


@pytest.fixture
def make_server(tmp_path: Path, migrated: Path) -> Iterator[Callable[..., Server]]:
    """A function that starts servers: make_server(environment={…}, options=[…])."""
    numbers = count()
    with ExitStack() as running:

        def make(**options: Any) -> Server:
            folder = tmp_path / f"server-{next(numbers)}"
            folder.mkdir()
            made = Server(folder, migrated=migrated, **options)
            running.callback(made.close)
            return made.start()

        yield make
