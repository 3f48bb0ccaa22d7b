"""One run on a system of its own, in a folder of its own, for the command and the tests."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import threading
from dataclasses import asdict
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from lab.chaos import hostile
from lab.chaos.conductor import DEVICES, Conductor, Run
from lab.chaos.system import Distributed, Embedded, System
from lab.rig.folders import make_folder
from lab.rig.programs import chromium
from lab.rig.programs.services import are_installed

SYSTEMS: Final[dict[str, type[System]]] = {"embedded": Embedded, "distributed": Distributed}


def choose(name: str, seed: int) -> str:
    """Return the system for a run: `both` takes turns by the seed where both can be started."""
    if name != "both":
        return name
    return "distributed" if seed % 2 == 0 and are_installed() else "embedded"


def why_no_page() -> str:
    """Return why no browser can take part here; empty when one can."""
    if find_spec("playwright") is None:
        return "Playwright is not installed (`make test` installs it)"
    return "" if chromium.find() else f"it needs {chromium.HOW_TO_INSTALL}"


async def play(
    system: str,
    *,
    seed: int,
    seconds: float,
    devices: int = DEVICES,
    has_page: bool = False,
    is_hostile: bool = False,
) -> Run:
    """Play one run. Its folder with every process's log is kept when a promise was broken.

    has_page: a Chromium takes part, see why_no_page. is_hostile: an agent attacks the others.
    """
    page: Any = import_module("lab.chaos.people.page").PageDevice if has_page else None
    folder = make_folder()
    _end_with_signals()
    try:
        run = await Conductor(
            SYSTEMS[system](folder, hostile.settings(folder) if is_hostile else None),
            seed=seed,
            seconds=seconds,
            devices=devices,
            page=page,
            is_hostile=is_hostile,
        ).play()
    except asyncio.CancelledError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    if run.violations:
        _keep(run, folder / "evidence.json")
    else:
        run.folder = None
        shutil.rmtree(folder, ignore_errors=True)
    return run


def _end_with_signals() -> None:
    """Told to stop, a run is cancelled, and so ends every process that it has started."""
    playing = asyncio.current_task()
    if playing is None or threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, playing.cancel)


def _keep(run: Run, file: Path) -> None:
    with file.open("w", encoding="utf-8") as written:
        json.dump(asdict(run.evidence), written, default=str)
