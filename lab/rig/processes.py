"""Operating system processes that are started, watched, frozen, killed and started again."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Protocol

import httpx
import psutil

from lab.rig import warm

ROOT: Final = Path(__file__).resolve().parent.parent.parent
START_S: Final = 60.0
STOP_S: Final = 25.0
# How long a process that did not end has to write where it stands.
LAST_WORDS_S: Final = 5.0
POLL_S: Final = 0.05
# A client reads all certificates of the system when it is made, for plain http, too. That takes
# 22 ms, and a start is probed often.
NOTHING_TO_VERIFY: Final = False
# The end of a log that an error shows.
TAIL_BYTES: Final = 16_000

# A user and a group, by number.
Account = tuple[int, int]
# Asks a process for service once. Raises NotServing or an OSError while there is none.
Probe = Callable[[], object]


class NotServing(RuntimeError):
    """A process runs, but does not serve; the message says how it answers, and its last words."""


class ProcessEnded(RuntimeError):
    """A process has ended that should run; the message has its last words."""


class Running(Protocol):
    """A process that was started: the methods of subprocess.Popen that the rig uses."""

    pid: int
    stdin: IO[bytes] | None
    stdout: IO[bytes] | None

    def poll(self) -> int | None:
        """Return the exit status, or None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status. Raises subprocess.TimeoutExpired."""
        ...

    def send_signal(self, sig: int, /) -> None:
        """Send a signal."""

    def kill(self) -> None:
        """Kill -9."""


class ProcessLog:
    """The file with the output of a process, over all its starts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._start = 0

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Open it for the output of one more start."""
        with self.path.open("ab") as output:
            self._start = output.tell()
            yield output

    def said(self) -> str:
        """Return everything that it has had since the last start."""
        return self._read(self._start)

    def tail(self) -> str:
        """Return its end."""
        return self._read(max(0, self.path.stat().st_size - TAIL_BYTES))

    def _read(self, position: int) -> str:
        with self.path.open("rb") as written:
            written.seek(position)
            return written.read().decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class _Program:
    """A command and its surroundings, which are the same at every start."""

    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    log: Path
    account: Account | None
    has_pipes: bool
    is_warm: bool

    def begin(self, output: IO[bytes]) -> Running:
        """Start it once; output takes its prints, but for its pipes."""
        if self.is_warm:
            return warm.WarmProcess(
                self.command[1:],
                folder=self.folder,
                environment=self.environment,
                log=self.log,
                has_pipes=self.has_pipes,
            )
        user, group = self.account or (None, None)
        return subprocess.Popen(
            self.command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.PIPE if self.has_pipes else subprocess.DEVNULL,
            stdout=subprocess.PIPE if self.has_pipes else output,
            stderr=output if self.has_pipes else subprocess.STDOUT,
            # Ctrl-C is for the caller, which then ends its processes in order.
            start_new_session=True,
            user=user,
            group=group,
            extra_groups=[] if self.account else None,
        )


class Process:
    """One process, again and again under the same command. Its output goes to a file.

    probe: tells whether it serves; without one it serves from its start.
    has_pipes: its stdin and stdout are pipes, and only its errors go to the file.
    is_warm: it begins with the libraries imported, see lab/rig/warm.py; a program of Python.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        log: Path,
        probe: Probe | None = None,
        account: Account | None = None,
        folder: Path = ROOT,
        has_pipes: bool = False,
        is_warm: bool = False,
    ) -> None:
        self.name = name
        self.log = log
        self._log = ProcessLog(log)
        # Unexpected ends.
        self.deaths: list[str] = []
        self.most_memory_mb = 0.0
        # Every process that was started under this name.
        self.pids: list[int] = []
        self._program = _Program(
            list(command), dict(environment), folder, log, account, has_pipes, is_warm
        )
        self._probe = probe
        self._process: Running | None = None
        # The one that is being ended, or was ended last.
        self._ended: Running | None = None
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
        return self._running.pid

    @property
    def pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        """Its stdin and stdout."""
        process = self._running
        if process.stdin is None or process.stdout is None:
            raise RuntimeError(f"{self.name} has no pipes")
        return process.stdin, process.stdout

    def start(self) -> None:
        """Start it; a second call changes nothing."""
        if self._process is not None and self._process.poll() is None:
            return
        with self._log.open() as output:
            self._process = self._program.begin(output)
        self.pids.append(self._process.pid)
        self._is_frozen = False

    def wait_until_serving(self, *, within_s: float = START_S) -> None:
        """Return when it serves. Raises ProcessEnded at once, NotServing after within_s."""
        deadline = time.monotonic() + within_s
        while True:
            self.check()
            try:
                if self._probe is not None:
                    self._probe()
            except (OSError, NotServing) as exc:
                if time.monotonic() > deadline:
                    what = f"{self.name} does not serve after {within_s:.0f} s: {exc}"
                    raise NotServing(f"{what}\n{self.tail()}") from exc
            else:
                return
            time.sleep(POLL_S)

    def check(self) -> None:
        """Raise ProcessEnded unless it runs."""
        status = self._running.poll()
        if status is not None:
            raise ProcessEnded(f"{self.name} ended with {status}:\n{self.tail()}")

    def said(self) -> str:
        """Return everything that its log has had since the last start."""
        return self._log.said()

    def tail(self) -> str:
        """Return the end of its log."""
        return self._log.tail()

    def kill(self) -> None:
        """Kill -9: no goodbye, nothing flushed."""
        self.end(signal.SIGKILL)

    def end(self, number: signal.Signals) -> int:
        """Send a signal that ends it. Return its status, 0 if none runs.

        One that has not ended after STOP_S is aborted, so that Python writes into its log where
        each thread stands, and killed.
        """
        process, self._process = self._process, None
        if process is None:
            return 0
        self._note_death(process)
        self._ended = process
        self._measure(process.pid)
        with suppress(ProcessLookupError):
            process.send_signal(number)
            if self._is_frozen:
                process.send_signal(signal.SIGCONT)
        self._is_frozen = False
        return _reap(process, self.name, self.log)

    def finish(self) -> int:
        """Close its pipes, which ends a process that reads them; return its status."""
        process, self._process = self._process, None
        if process is None:
            return 0
        self._ended = process
        if process.stdin is not None:
            with suppress(BrokenPipeError):  # it has ended already
                process.stdin.close()
        self._is_frozen = False
        return _reap(process, self.name, self.log)

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal that it may survive."""
        self._running.send_signal(number)

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

    @property
    def _running(self) -> Running:
        if self._process is None:
            raise RuntimeError(f"{self.name} does not run")
        return self._process

    def _note_death(self, process: Running) -> None:
        status = process.poll()
        if status is not None and process is not self._ended:
            self.deaths.append(f"{self.name} ended by itself with status {status}")
            self._process = None

    def _measure(self, pid: int) -> None:
        with suppress(psutil.Error):
            memory = psutil.Process(pid).memory_info().rss / 1e6
            self.most_memory_mb = max(self.most_memory_mb, memory)


def _reap(process: Running, name: str, log: Path) -> int:
    """Wait for the end of a process, at most STOP_S; close its pipes and return its status."""
    try:
        return process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        _abort(process, name, log)
        return -signal.SIGKILL
    finally:
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def _abort(process: Running, name: str, log: Path) -> None:
    """Let a process that has not ended write its last words, and kill it."""
    with suppress(psutil.Error), log.open("a", encoding="utf-8") as output:
        state = psutil.Process(process.pid).status()
        output.write(f"{name} has not ended after {STOP_S:.0f} s: it is {state}\n")
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGABRT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(LAST_WORDS_S)
    process.kill()
    process.wait()


@contextmanager
def serving(process: Process) -> Iterator[Process]:
    """Run a process for as long as the block runs; the block begins when it serves.

    Raises ProcessEnded, NotServing.
    """
    try:
        process.start()
        process.wait_until_serving()
        yield process
    finally:
        process.end(signal.SIGTERM)


def probe_http(url: str, *, verify: ssl.SSLContext | bool = NOTHING_TO_VERIFY) -> None:
    """Probe a web server: it serves when it answers a GET with 200. verify: for https."""
    try:
        answer = httpx.get(url, timeout=2, verify=verify)
    except httpx.HTTPError as exc:
        raise NotServing(f"{url}: {exc!r}") from exc
    if answer.status_code != httpx.codes.OK:
        raise NotServing(f"{url} answers {answer.status_code}: {answer.text[:200]}")


async def end_all(processes: Sequence[Process], number: signal.Signals) -> None:
    """End several processes at the same time."""
    await asyncio.gather(*(asyncio.to_thread(process.end, number) for process in processes))


def clean_environment() -> dict[str, str]:
    """Return this process's environment without any setting of the product's.

    Programs of Python that are aborted write where their threads stand.
    """
    ours = {"DATABASE_URL", "REDIS_URL", "DEBUG", "DATA_DIR", "HOST", "PORT", "SECRET_KEY"}
    ours |= {"ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS", "BEHIND_HTTPS", "PROXY_COUNT"}
    ours |= {"DJANGO_SETTINGS_MODULE", "GRIP_URL"}
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ours and not name.startswith("CHAT_")
    }
    return kept | {"PYTHONFAULTHANDLER": "1"}
