"""A real Backstay server: `manage.py serve` as a process, in a data folder of its own.

    server = Server(folder).start()
    token = server.token("alice")    # makes the user
    cookies = server.login("alice")  # both cookies of a log-in
    server.kill()                    # SIGKILL, in the middle of its work
    server.start()                   # the same port and data again

`server.data` reaches the server's database from a process of its own: it makes sessions and
appends events as another process of a production set-up would.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

import httpx
import psutil

from lab.rig.backdoor import Backdoor
from lab.rig.ports import Port
from lab.rig.processes import (
    NOTHING_TO_VERIFY,
    ROOT,
    NotServing,
    Process,
    clean_environment,
    probe_http,
    serving,
)

MANAGE_S: Final = 60.0
# Below DATA_DIR, where DATABASE_URL names no other database.
DATABASE_FILE: Final = "backstay.sqlite3"
# Below every limit of its kind, so that a test waits for nothing longer than it must.
QUICK: Final = {"CHAT_TAIL_INTERVAL_S": "0.25", "LOG_LEVEL": "WARNING"}


def environment_of(folder: Path) -> dict[str, str]:
    """Return the variables of a quick server whose data is below a folder."""
    return clean_environment() | {
        "DJANGO_SETTINGS_MODULE": "chatproject.settings",
        "DATA_DIR": str(folder / "data"),
        "HOST": "127.0.0.1",
        **QUICK,
    }


def manage(
    name: str,
    *arguments: str,
    environment: Mapping[str, str],
    log: Path,
    port: Port | None = None,
    through: Sequence[str] = (),
    is_warm: bool = False,
) -> Process:
    """Return a process of a set-up, not started yet.

    port: its own, when it serves pages. through: a command that ends by executing the one behind.
    is_warm: it starts sooner, see lab/rig/warm.py; nothing can stand before such a process.
    """
    variables = {**environment, "PORT": str(port.number)} if port else environment

    def probe() -> None:
        if port is not None:
            probe_http(f"http://127.0.0.1:{port.number}/healthz")
        elif arguments[0] == "run_agents" and "Running agents" not in process.said():
            raise NotServing("it does not run agents yet")

    command = [*through, sys.executable, "manage.py", *arguments]
    process = Process(
        name,
        command,
        environment=variables,
        log=log,
        probe=probe,
        is_warm=is_warm and not through,
    )
    return process


class Server:
    """One server, its port and its data folder; it may die and start again."""

    def __init__(
        self,
        folder: Path,
        *,
        environment: Mapping[str, str] | None = None,
        options: Sequence[str] = (),
        through: Sequence[str] = (),
        migrated: Path | None = None,
    ) -> None:
        """through: a command that ends by executing the one behind it.

        migrated: a database of migrated_database; the first start has less to do.
        """
        self.folder = folder
        # Its link to log in, as the last start has printed it; empty once the owner has one.
        self.login_link = ""
        self._port = Port()
        self.port = self._port.number
        self.url = f"http://127.0.0.1:{self.port}"
        self._log_file = folder / "server.log"
        self._environment = environment_of(folder) | {"PORT": str(self.port), **(environment or {})}
        self._process = manage(
            "server",
            "serve",
            *options,
            environment=self._environment,
            log=self._log_file,
            port=self._port,
            through=through,
            is_warm=True,
        )
        if migrated is not None and "DATABASE_URL" not in self._environment:
            _copy_database(migrated, Path(self._environment["DATA_DIR"]))
        self._data: Backdoor | None = None
        self._numbers = count()

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process that was started last still runs."""
        return self._process.is_up

    @property
    def environment(self) -> dict[str, str]:
        """The variables for another process on the server's data."""
        return dict(self._environment)

    @property
    def data(self) -> Backdoor:
        """The server's database, through another process."""
        if self._data is None:
            self._data = Backdoor(self._environment, log=self.folder / "backdoor.log")
        return self._data

    def start(self) -> Server:
        """Start, or start again, on the same port and data; return when it serves."""
        if self._process.was_started:
            raise RuntimeError("the server runs already")
        self._process.start()
        self._process.wait_until_serving()
        self.login_link = self._read_login_link()
        return self

    def kill(self) -> None:
        """Kill -9: no goodbye, nothing flushed."""
        self._process.kill()

    def stop(self) -> int:
        """SIGTERM; return the exit status. Raises RuntimeError when it had to be killed."""
        status = self._process.end(signal.SIGTERM)
        if status == -signal.SIGKILL:
            raise RuntimeError(f"the server did not stop:\n{self._process.tail()}")
        return status

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the running server."""
        self._process.send_signal(number)

    def freeze(self) -> None:
        """SIGSTOP: its sockets stay open, its leases run out."""
        self._process.freeze()

    def thaw(self) -> None:
        """SIGCONT."""
        self._process.thaw()

    def close(self) -> None:
        """Stop everything that still runs."""
        self.stop()
        if self._data is not None:
            self._data.close()
        self._port.release()

    def memory_mb(self) -> float:
        """Return the server's memory."""
        return float(psutil.Process(self.pid).memory_info().rss) / 1e6

    def log(self) -> str:
        """Return the server's output and log."""
        return self._log_file.read_text(encoding="utf-8") if self._log_file.exists() else ""

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
            timeout=MANAGE_S,
        )
        if done.returncode:
            raise RuntimeError(f"manage.py {arguments[0]}: {done.stderr}")
        return done.stdout

    @contextmanager
    def beside(self, *arguments: str, through: Sequence[str] = ()) -> Iterator[Process]:
        """Run another process of the set-up for as long as the block runs."""
        name = arguments[0]
        log = self.folder / f"{name}-{next(self._numbers)}.log"
        process = manage(
            name,
            *arguments,
            environment=self._environment,
            log=log,
            through=through,
            is_warm=True,
        )
        with serving(process):
            yield process

    def create_user(self, name: str, *, staff: bool = False) -> int:
        """Make a user with a log-in; return the id. One that exists stays."""
        return int(self.data.call("create_user", name=name, staff=staff))

    def token(self, name: str) -> str:
        """Return a bearer token of a user; an unknown one is made."""
        return str(self.data.call("token", name=name))

    def login(self, name: str) -> dict[str, str]:
        """Return the cookies of a log-in, for a browser context or an httpx client."""
        return dict(self.data.call("login", name=name))

    def one_time_link(self, name: str) -> str:
        """Return the path of a new link that logs a user in once."""
        return str(self.data.call("one_time_link", name=name))

    def client(self, name: str, **options: Any) -> httpx.Client:
        """Return an HTTP client that is logged in by token."""
        headers = {"Authorization": f"Bearer {self.token(name)}", **options.pop("headers", {})}
        given = {"timeout": 20, "verify": NOTHING_TO_VERIFY, **options}
        return httpx.Client(base_url=self.url, headers=headers, **given)

    def _read_login_link(self) -> str:
        """Return the link that this start has printed, empty when it names none."""
        for line in self._process.said().splitlines():
            if line.startswith("Log in"):
                last = line.split()[-1]
                return last if "/login/" in last else ""
        raise NotServing(f"the server did not say how to log in:\n{self._process.tail()}")


def migrated_database(folder: Path) -> Path:
    """Make an SQLite database with today's tables below a folder; return its file."""
    environment = environment_of(folder)
    process = manage(
        "migrate", "migrate", environment=environment, log=folder / "migrate.log", is_warm=True
    )
    process.start()
    if process.finish():
        raise RuntimeError(f"no database:\n{process.tail()}")
    return Path(environment["DATA_DIR"], DATABASE_FILE)


def _copy_database(source: Path, folder: Path) -> None:
    """Give a server that has none a database; other users of the machine cannot read it."""
    target = folder / DATABASE_FILE
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not target.exists():
        shutil.copyfile(source, target)
        target.chmod(0o600)
