"""Operating system processes that are started, killed, frozen and started again."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

ROOT: Final = Path(__file__).resolve().parent.parent.parent
STOP_S: Final = 25.0


def free_port() -> int:
    """Return a loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """One process, again and again under the same command. Its output goes to a file."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        log: Path,
        port: int = 0,
        account: tuple[int, int] | None = None,
        folder: Path = ROOT,
    ) -> None:
        self.name = name
        self.port = port
        self.log = log
        # What the suite did not do to it: it ended by itself.
        self.deaths: list[str] = []
        self.most_memory_mb = 0.0
        # Every process that was started under this name.
        self.pids: list[int] = []
        self._command = list(command)
        self._environment = dict(environment)
        self._account = account
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        # The one that the suite is ending, or has ended last.
        self._ended: subprocess.Popen[bytes] | None = None
        self._is_frozen = False

    @property
    def is_up(self) -> bool:
        """Whether it runs and is not frozen."""
        return self._process is not None and self._process.poll() is None and not self._is_frozen

    @property
    def was_started(self) -> bool:
        """Whether it should be running."""
        return self._process is not None

    @property
    def pid(self) -> int:
        """The process id."""
        if self._process is None:
            raise RuntimeError(f"{self.name} does not run")
        return self._process.pid

    def start(self) -> None:
        """Start it; a second call changes nothing."""
        if self._process is not None and self._process.poll() is None:
            return
        group = {} if self._account is None else {"user": self._account[0]}
        if self._account is not None:
            group |= {"group": self._account[1]}
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 (our own commands)
                self._command,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for the suite, which then ends its processes in order.
                start_new_session=True,
                extra_groups=[] if self._account else None,
                **group,  # type: ignore[call-overload]  # user and group as they are needed
            )
        self.pids.append(self._process.pid)
        self._is_frozen = False

    def kill(self) -> None:
        """Kill -9: no goodbye, nothing flushed."""
        self.end(signal.SIGKILL)

    def end(self, number: signal.Signals) -> None:
        """Send a signal that ends it and wait; after STOP_S it is killed."""
        process, self._process = self._process, None
        if process is None:
            return
        self._note_death(process)
        self._ended = process
        self._measure(process.pid)
        with suppress(ProcessLookupError):
            process.send_signal(number)
            if self._is_frozen:
                process.send_signal(signal.SIGCONT)
        self._is_frozen = False
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def freeze(self) -> None:
        """SIGSTOP: its sockets stay open, its leases run out."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGSTOP)
            self._is_frozen = True

    def thaw(self) -> None:
        """SIGCONT."""
        if self._is_frozen and self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._is_frozen = False

    def look(self) -> None:
        """Note when it has ended by itself, and how much memory it takes."""
        process = self._process  # another thread may be ending it
        if process is not None:
            self._measure(process.pid)
            self._note_death(process)

    def children(self) -> list[psutil.Process]:
        """Return the processes that it has started."""
        if self._process is None:
            return []
        with suppress(psutil.Error):
            return list(psutil.Process(self._process.pid).children(recursive=True))
        return []

    def _note_death(self, process: subprocess.Popen[bytes]) -> None:
        status = process.poll()
        if status is not None and process is not self._ended:
            self.deaths.append(f"{self.name} ended by itself with status {status}")
            self._process = None

    def _measure(self, pid: int) -> None:
        with suppress(psutil.Error):
            memory = psutil.Process(pid).memory_info().rss / 1e6
            self.most_memory_mb = max(self.most_memory_mb, memory)


async def end_all(processes: Sequence[Process], number: signal.Signals) -> None:
    """End several processes at the same time."""
    await asyncio.gather(*(asyncio.to_thread(process.end, number) for process in processes))


def clean_environment() -> dict[str, str]:
    """Return this process's environment without any setting of the product's."""
    ours = {"DATABASE_URL", "REDIS_URL", "DEBUG", "DATA_DIR", "HOST", "PORT", "SECRET_KEY"}
    ours |= {"ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS", "BEHIND_HTTPS", "PROXY_COUNT"}
    return {
        name: value
        for name, value in os.environ.items()
        if name not in ours and not name.startswith("CHAT_")
    }
