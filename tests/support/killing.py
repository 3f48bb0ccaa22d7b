"""One act on a folder in a process of its own, which is killed at a chosen step.

`python -m tests.support.killing ACT FOLDER WHEN STEP`: WHEN is before, in or after, STEP is the
first word of a command of git, or the name of a function of os or shutil. "in" kills git as well,
in the middle of its work.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import django
import psutil

from lab.rig.waiting import PATIENCE_S, eventually


def killed(act: str, folder: Path, when: str, step: str) -> bool:
    """Run an act; return whether it was killed, and so did not end."""
    command = [sys.executable, "-m", "tests.support.killing", act, str(folder), when, step]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, start_new_session=True, stdout=pipe, stderr=pipe)
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode in (0, -signal.SIGKILL), errors.decode()
    eventually(lambda: _has_ended(process.pid), what="the end of git, which dies by itself")
    return process.returncode != 0


def _has_ended(group: int) -> bool:
    """Return whether no process of a group runs any more."""
    for process in psutil.process_iter():
        with suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                return False
    return True


def _kill() -> None:
    os.killpg(0, signal.SIGKILL)


def _kill_at(when: str, step: str) -> None:
    from sessions.workspace.changes import program

    for module, name in ((os, step), (shutil, step)):
        if hasattr(module, name):
            setattr(module, name, _wrapped(getattr(module, name), when, lambda *_: True))
            return
    program.run = _wrapped(program.run, when, lambda *words: words[0] == step or step in words[:14])


def _wrapped(real: Any, when: str, is_it: Any) -> Any:
    def wrapper(*words: Any, **more: Any) -> Any:
        if not is_it(*words):
            return real(*words, **more)
        if when == "before":
            _kill()
        if when == "in":
            threading.Thread(target=_kill_once_begun, args=[more["env"]["GIT_WORK_TREE"]]).start()
        found = real(*words, **more)
        if when == "after":
            _kill()
        return found

    return wrapper


def _kill_once_begun(tree: str) -> None:
    """Kill all when git has written some of its files."""
    place = Path(tree)
    while len(list(place.glob("many-*"))) < 20:
        pass
    _kill()


def main() -> None:
    act, folder, when, step = sys.argv[1:]
    django.setup()
    from sessions.workspace.worktrees import ending, making
    from sessions.workspace.worktrees.main import opened_main

    place = Path(folder).with_name("tree")
    with opened_main(folder, [Path(folder).parent]) as repository:
        _kill_at(when, step)
        if act == "make":
            making.make(repository, place, "fresh", repository.head, is_new=True)
        elif act == "merge":
            ending.merge(repository, "work", "main", "ada")
        elif act == "discard":
            making.clear(repository, place)
            making.forget(repository, "fresh")


if __name__ == "__main__":
    main()
