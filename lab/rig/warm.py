"""Processes that begin with everything imported: forks of one process that has done it.

An import costs a test server most of its start. The forks have no settings, no thread and no
event loop of their parent's: each reads its own environment, as a process from a shell does.
Tests of the start itself, the chaos runs and the benchmarks start their processes cold.
"""

from __future__ import annotations

import atexit
import faulthandler
import multiprocessing
import os
import runpy
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import IO, Final

from lab.rig import prepared

# Those that are slow to import and read no settings while they are.
LIBRARIES: Final = (
    "autobahn.websocket.protocol",
    "channels.consumer",
    "cryptography.fernet",
    "cryptography.x509",
    "django.core.management.commands.migrate",
    "django.core.serializers.json",
    "django.forms",
    "django.template.engine",
    "django.urls",
    "email.policy",
    "gripcontrol",
    "jsonschema",
    "jwt",
    "markdown_it",
    "nh3",
    "OpenSSL.SSL",
    "prometheus_client",
    "psutil",
    "pydantic",
    "pydantic.deprecated.decorator",
    "pygments.lexers",
    "requests",
    "servestatic",
    "service_identity",
    "sqlite3",
    "sqlparse",
    "twisted.internet.endpoints",
    "twisted.web.http",
)

# Sets Django up. A module that cannot be imported leaves the forks cold, and no more than that.
_PREPARING: Final = "lab.rig.preload"

_forks: Final = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload([__name__, *LIBRARIES, _PREPARING])
_starting: Final = threading.Lock()


@dataclass(frozen=True, slots=True)
class _Start:
    """The beginning of a fork. arguments: [script, …] or ["-m", module, …]."""

    arguments: Sequence[str]
    folder: Path
    environment: Mapping[str, str]
    # Takes its errors, and its output unless it has pipes.
    log: Path


class WarmProcess:
    """One fork, with the methods of subprocess.Popen that the rig uses."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        log: Path,
        has_pipes: bool,
    ) -> None:
        self.stdin: IO[bytes] | None = None
        self.stdout: IO[bytes] | None = None
        start = _Start(arguments, folder, environment, log)
        theirs: tuple[Connection, ...] = ()
        if has_pipes:
            their_input, our_output = _forks.Pipe(duplex=False)
            our_input, their_output = _forks.Pipe(duplex=False)
            theirs = (their_input, their_output)
            self.stdin = os.fdopen(os.dup(our_output.fileno()), "wb")
            self.stdout = os.fdopen(os.dup(our_input.fileno()), "rb")
            our_output.close()
            our_input.close()
        # A daemon ends with this process, as far as that can tell it.
        self._fork = _forks.Process(target=_begin, args=(start, *theirs), daemon=True)
        with _without_main():
            self._fork.start()
        for end in theirs:
            end.close()
        if self._fork.pid is None:
            raise RuntimeError("a fork has no number")
        self.pid: int = self._fork.pid

    def poll(self) -> int | None:
        """Return the exit status, or None while it runs."""
        return self._fork.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status. Raises subprocess.TimeoutExpired."""
        self._fork.join(timeout)
        status = self._fork.exitcode
        if status is None:
            raise subprocess.TimeoutExpired("a fork", timeout or 0.0)
        return status

    def send_signal(self, number: int) -> None:
        """Send a signal; one that has ended gets none."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill -9."""
        self._fork.kill()


@contextmanager
def _without_main() -> Iterator[None]:
    """Hide the program that runs here: multiprocessing would run it in every fork, too."""
    with _starting:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main


def _begin(start: _Start, *pipes: Connection) -> None:
    """Become the process that was asked for. Runs in the fork."""
    os.setsid()
    os.chdir(start.folder)
    os.environ.clear()
    os.environ.update(start.environment)
    _redirect(start.log, *pipes)
    named = start.environment.get("PYTHONPATH")
    sys.path[:1] = [str(start.folder), *(named.split(os.pathsep) if named else ())]
    first, *rest = start.arguments
    if _PREPARING in sys.modules:
        prepared.renew()
    try:
        if first == "-m":
            sys.argv = rest
            runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
        else:
            sys.argv = [first, *rest]
            runpy.run_path(first, run_name="__main__")
    finally:
        # A fork of multiprocessing leaves these out.
        atexit._run_exitfuncs()  # noqa: SLF001 (there is no public name)


def _redirect(log: Path, *pipes: Connection) -> None:
    """Connect the standard streams: to the pipes, the errors to the log."""
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    source, target = (
        (pipe.fileno() for pipe in pipes) if pipes else (os.open(os.devnull, os.O_RDONLY), output)
    )
    for descriptor, standard in ((source, 0), (target, 1), (output, 2)):
        os.dup2(descriptor, standard)
    os.close(output)
    for pipe in pipes:
        pipe.close()
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(
        2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False
    )
    # Python does this at the start of a process from a shell.
    if os.environ.get("PYTHONFAULTHANDLER"):
        faulthandler.enable()
