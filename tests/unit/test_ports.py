"""Ports of the servers, as their runners learn of them."""

import os
from pathlib import Path

import pytest

from sessions.core.hardening import ports


@pytest.fixture
def folder(settings, tmp_path: Path) -> Path:
    settings.DATA_DIR, settings.CHAT = tmp_path, {}
    return tmp_path


def test_each_server_leaves_its_port_for_the_runners(folder: Path, settings) -> None:
    settings.PORT, settings.REDIS_URL = 8000, "redis://127.0.0.1:6399/0"
    before = ports.own_ports()
    ports.note(9001)
    ports.note(9002)
    ports.note(9001)
    assert {8000, 6399} <= before
    assert ports.own_ports() == before | {9001, 9002}


def test_of_many_ports_the_last_ones_are_kept(folder: Path, settings) -> None:
    for number in range(3 * ports.MAX_NOTED):
        ports.note(10_000 + number)
        os.utime(folder / "ports" / str(10_000 + number), ns=(number, number))
    ports.note(65_000)
    kept = {port for port in ports.own_ports() if port >= 10_000}
    assert len(kept) == ports.MAX_NOTED
    assert {65_000, 10_000 + 3 * ports.MAX_NOTED - 1} <= kept


def test_a_folder_that_takes_nothing_stops_no_start(folder: Path) -> None:
    (folder / "ports").write_text("in the way")
    ports.note(9001)
    assert 9001 not in ports.own_ports()
