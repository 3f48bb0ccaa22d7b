"""Private PostgreSQL and Redis servers: on loopback, a free port, a folder that goes with them."""

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import redis
from psycopg import sql

from tests.support import debian

START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 15

HOW_TO_INSTALL_POSTGRES = (
    "PostgreSQL: install the server, so that `initdb` and `postgres` are on the PATH or in "
    "/usr/lib/postgresql/*/bin (Debian and Ubuntu: apt-get install postgresql)"
)
HOW_TO_INSTALL_REDIS = (
    "Redis: install `redis-server` or `valkey-server` "
    "(Debian and Ubuntu: apt-get install redis-server)"
)

# The data goes with the test run: what a power cut would lose is of no use to it.
FORGETFUL = ("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off")


class ServiceMissingError(RuntimeError):
    """A server that the tests need is not installed; the message says how to install it."""


@dataclass(frozen=True)
class Postgres:
    """A running server; `url` names its first database."""

    host: str
    port: int
    user: str
    password: str

    def url_of(self, database: str) -> str:
        """Return the DATABASE_URL of one database."""
        return f"postgresql://{self.user}:{self.password}@{self.host}:{self.port}/{database}"

    @property
    def url(self) -> str:
        """Return the DATABASE_URL of the server's first database."""
        return self.url_of("postgres")

    def create_database(self) -> str:
        """Make an empty database and return its DATABASE_URL."""
        name = f"backstay_{secrets.token_hex(6)}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url_of(name)


def find_postgres() -> Path | None:
    """Return the folder that holds initdb and postgres, the newest version first."""
    folders = [Path(path) for path in os.environ.get("PATH", "").split(os.pathsep) if path]
    # Debian keeps the server's programs off the PATH.
    folders += sorted(
        Path("/usr/lib/postgresql").glob("*/bin"),
        key=lambda folder: int(folder.parent.name) if folder.parent.name.isdecimal() else 0,
        reverse=True,
    )
    for folder in folders:
        if all(os.access(folder / name, os.X_OK) for name in ("initdb", "postgres")):
            return folder
    return None


def find_redis() -> str | None:
    """Return the path of redis-server or valkey-server."""
    return shutil.which("redis-server") or shutil.which("valkey-server")


def install_postgres() -> Path | None:
    """Install the server where possible; return what find_postgres finds then."""
    if debian.can_install():
        debian.install("postgresql")
    return find_postgres()


def install_redis() -> str | None:
    """Install the server where possible; return what find_redis finds then."""
    if debian.can_install() and not debian.install("redis-server"):
        debian.install("valkey-server")
    return find_redis()


@contextlib.contextmanager
def postgres(*, durable: bool = False) -> Iterator[Postgres]:
    """Run a PostgreSQL server of its own for as long as the block runs.

    durable: every commit waits for the disk, as a measurement of it needs.
    """
    programs = find_postgres()
    if programs is None:
        raise ServiceMissingError(HOW_TO_INSTALL_POSTGRES)
    account = _server_account()
    with _private_folder(account) as folder:
        server = Postgres(
            host="127.0.0.1", port=_free_port(), user="backstay", password=secrets.token_hex(16)
        )
        _make_cluster(programs, folder, server, account)
        command = [
            str(programs / "postgres"),
            *("-D", str(folder / "cluster"), "-k", str(folder), "-p", str(server.port)),
            *("-c", f"listen_addresses={server.host}"),
            *("-c", "max_connections=300"),
            *(() if durable else FORGETFUL),
        ]
        with _running(command, folder, account, stop_signal=signal.SIGINT) as check:
            _wait(lambda: psycopg.connect(server.url, connect_timeout=2).close(), check)
            yield server


@contextlib.contextmanager
def redis_server() -> Iterator[str]:
    """Run a Redis or Valkey server of its own for as long as the block runs; give its URL."""
    program = find_redis()
    if program is None:
        raise ServiceMissingError(HOW_TO_INSTALL_REDIS)
    with _private_folder(None) as folder:
        port = _free_port()
        command = [
            program,
            *("--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)),
            *("--save", "", "--appendonly", "no"),
        ]

        def ping() -> None:
            with redis.Redis(host="127.0.0.1", port=port, socket_timeout=2) as client:
                client.ping()

        with _running(command, folder, None, stop_signal=signal.SIGTERM) as check:
            _wait(ping, check)
            yield f"redis://127.0.0.1:{port}/0"


def _server_account() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root: return the account to run it as then."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise ServiceMissingError("PostgreSQL does not run as root: add a user named postgres")


@contextlib.contextmanager
def _private_folder(account: pwd.struct_passwd | None) -> Iterator[Path]:
    # Not below pytest's folder: another account cannot enter that. Short, for the socket's path.
    folder = Path(tempfile.mkdtemp(prefix="backstay-"))
    try:
        if account:
            os.chown(folder, account.pw_uid, account.pw_gid)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _make_cluster(
    programs: Path, folder: Path, server: Postgres, account: pwd.struct_passwd | None
) -> None:
    password_file = folder / "password"
    password_file.write_text(server.password, encoding="ascii")
    password_file.chmod(0o644 if account else 0o600)  # its folder is closed to everybody else
    subprocess.run(
        [
            str(programs / "initdb"),
            *("-D", str(folder / "cluster"), "-U", server.user, "--pwfile", str(password_file)),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync"),
        ],
        check=True,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        timeout=120,
        **_as_account(account),
    )
    password_file.unlink()


def _as_account(account: pwd.struct_passwd | None) -> dict:
    if account is None:
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


@contextlib.contextmanager
def _running(
    command: list[str],
    folder: Path,
    account: pwd.struct_passwd | None,
    *,
    stop_signal: signal.Signals,
) -> Iterator[Callable[[], None]]:
    """Run command; give a function that raises, with the server's log, once it has ended."""
    log = folder / "server.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # Ctrl-C in the terminal is for pytest, which then stops its servers in order.
            start_new_session=True,
            **_as_account(account),
        ) as process,
    ):

        def check() -> None:
            if process.poll() is not None:
                said = log.read_text(encoding="utf-8", errors="replace")
                raise RuntimeError(f"{command[0]} ended with {process.returncode}:\n{said}")

        try:
            yield check
        finally:
            process.send_signal(stop_signal)
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait(attempt: Callable[[], None], check: Callable[[], None]) -> None:
    """Try until attempt succeeds; raise its last error after START_TIMEOUT_S."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        check()
        try:
            return attempt()
        except (psycopg.OperationalError, redis.RedisError, OSError):
            if time.monotonic() > deadline:
                raise
        time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
