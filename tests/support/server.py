"""A real server for tests: `manage.py serve` as a process, in a data folder of its own.

    def test_it(server):                 # fixture: tests/support/server.py, `server`
        token = server.token("alice")    # makes the user
        cookies = server.login("alice")  # {"backstay_login": …, "backstay_csrf": …}
        server.kill()                    # SIGKILL, in the middle of whatever it does
        server.start()                   # the same port and data again

`server.data` reaches the server's database from a process of its own: it makes sessions and
appends events as another process of a production set-up would.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.support.daemon import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 20.0
# Below every limit of its kind, so that a test waits for nothing longer than it must.
QUICK = {"CHAT_TAIL_INTERVAL_S": "0.1", "LOG_LEVEL": "WARNING"}


def eventually(check: Callable[[], Any], *, within_s: float = 10.0, what: str = "it") -> Any:
    """Return the first true result of check; fail when there is none within the deadline."""
    deadline = time.monotonic() + within_s
    while True:
        result = check()
        if result:
            return result
        assert time.monotonic() < deadline, f"{what} did not happen within {within_s} s"
        time.sleep(0.02)


class Data:
    """The server's database, reached by a process of its own (tests/support/backdoor.py)."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.backdoor"],
            cwd=ROOT,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def call(self, function: str, /, **arguments: Any) -> Any:
        """Run one function of the backdoor and return its result."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"call": function, **arguments}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the backdoor is gone; its error is above"
        answer = json.loads(line)
        assert "error" not in answer, answer.get("error")
        return answer["result"]

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(STOP_TIMEOUT_S)
        self._process.stdout.close()


class Server:
    """One server, its port and its data folder; it may die and start again."""

    def __init__(
        self,
        folder: Path,
        *,
        environment: Mapping[str, str] | None = None,
        options: Any = (),
        through: Sequence[str] = (),
    ) -> None:
        """through: a command that ends by executing the one behind it."""
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        # The one that the last start printed; none once the owner has logged in.
        self.login_link = ""
        self.log_file = folder / "server.log"
        self._options = list(options)
        self._through = list(through)
        self._environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("CHAT_") and name not in {"DATABASE_URL", "REDIS_URL", "DEBUG"}
        }
        self._environment |= {
            "DJANGO_SETTINGS_MODULE": "chatproject.settings",
            "DATA_DIR": str(folder / "data"),
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            **QUICK,
            **(environment or {}),
        }
        # The test process's own key would make cookies of another server good here.
        self._environment.pop("SECRET_KEY", None)
        self._process: subprocess.Popen[str] | None = None
        self._data: Data | None = None

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        assert self._process is not None, "the server does not run"
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process that was started last still runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def environment(self) -> dict[str, str]:
        """What another process on the server's data is started with."""
        return dict(self._environment)

    @property
    def data(self) -> Data:
        """The server's database, through another process."""
        if self._data is None:
            self._data = Data(self._environment)
        return self._data

    def start(self) -> Server:
        """Start, or start again, on the same port and data; return when it answers."""
        assert self._process is None, "the server runs already"
        log = self.log_file.open("a", encoding="utf-8")
        self._process = subprocess.Popen(
            [*self._through, sys.executable, "manage.py", "serve", *self._options],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
        log.close()
        self._read_login_link()
        eventually(self._answers, within_s=START_TIMEOUT_S, what="the first answer")
        return self

    def kill(self) -> None:
        """Kill -9: no goodbye, nothing flushed."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; return the exit status."""
        return self._end(signal.SIGTERM)

    def signal(self, number: int) -> None:
        """Send a signal, for example SIGSTOP and SIGCONT to freeze it."""
        os.kill(self.pid, number)

    def close(self) -> None:
        """Stop whatever still runs; fixtures call it."""
        if self._process is not None:
            self.stop()
        if self._data is not None:
            self._data.close()

    def memory_mb(self) -> float:
        """Return what the server holds in memory."""
        return float(psutil.Process(self.pid).memory_info().rss) / 1e6

    def log(self) -> str:
        """Return what the server has logged."""
        return self.log_file.read_text(encoding="utf-8")

    def manage(self, *arguments: str) -> str:
        """Run a management command on the server's data and return its output."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def create_user(self, name: str, *, staff: bool = False) -> int:
        """Make a user who may log in; return the id. One that exists stays."""
        return int(self.data.call("create_user", name=name, staff=staff))

    def token(self, name: str) -> str:
        """Return a bearer token of a user, who is made when there is none."""
        return str(self.data.call("token", name=name))

    def login(self, name: str) -> dict[str, str]:
        """Return the cookies of a log-in, for a browser context or an httpx client."""
        return dict(self.data.call("login", name=name))

    def client(self, name: str, **options: Any) -> httpx.Client:
        """Return an HTTP client that is logged in by token."""
        headers = {"Authorization": f"Bearer {self.token(name)}", **options.pop("headers", {})}
        return httpx.Client(base_url=self.url, headers=headers, timeout=20, **options)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"the server ended:\n{self.log()}"
        try:
            return httpx.get(f"{self.url}/healthz", timeout=2).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def _read_login_link(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("Log in"):
                last = line.split()[-1]
                self.login_link = last if "/login/" in last else ""
                return
        raise AssertionError(f"the server did not say how to log in:\n{self.log()}")

    def _end(self, number: int) -> int:
        process, self._process = self._process, None
        assert process is not None, "the server does not run"
        process.send_signal(number)
        try:
            return process.wait(STOP_TIMEOUT_S)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            assert process.stdout is not None
            process.stdout.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A running server for one test."""
    running = Server(tmp_path)
    try:
        yield running.start()
    finally:
        running.close()


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """A function that starts servers: make_server(environment={…}, options=[…])."""
    made: list[Server] = []

    def make(**options: Any) -> Server:
        folder = tmp_path / f"server-{len(made)}"
        folder.mkdir()
        made.append(Server(folder, **options))
        return made[-1].start()

    yield make
    for running in made:
        running.close()
