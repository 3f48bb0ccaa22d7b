"""Private PostgreSQL and Redis servers: on loopback, a free port, a folder that goes with them."""

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import redis
from psycopg import sql

from tests.support import debian
from tests.support.daemon import (
    ServiceMissingError,
    as_account,
    free_port,
    private_folder,
    running,
    wait,
)

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
    with private_folder(account) as folder:
        server = Postgres(
            host="127.0.0.1", port=free_port(), user="backstay", password=secrets.token_hex(16)
        )
        _make_cluster(programs, folder, server, account)
        command = [
            str(programs / "postgres"),
            *("-D", str(folder / "cluster"), "-k", str(folder), "-p", str(server.port)),
            *("-c", f"listen_addresses={server.host}"),
            *("-c", "max_connections=300"),
            *(() if durable else FORGETFUL),
        ]
        with running(command, folder, account, stop_signal=signal.SIGINT) as check:
            wait(
                lambda: psycopg.connect(server.url, connect_timeout=2).close(),
                check,
                passing=psycopg.OperationalError,
            )
            yield server


@contextlib.contextmanager
def redis_server() -> Iterator[str]:
    """Run a Redis or Valkey server of its own for as long as the block runs; give its URL."""
    program = find_redis()
    if program is None:
        raise ServiceMissingError(HOW_TO_INSTALL_REDIS)
    with private_folder(None) as folder:
        port = free_port()
        command = [
            program,
            *("--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)),
            *("--save", "", "--appendonly", "no"),
        ]

        def ping() -> None:
            with redis.Redis(host="127.0.0.1", port=port, socket_timeout=2) as client:
                client.ping()

        with running(command, folder, None, stop_signal=signal.SIGTERM) as check:
            wait(ping, check, passing=redis.RedisError)
            yield f"redis://127.0.0.1:{port}/0"


def _server_account() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root: return the account to run it as then."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise ServiceMissingError("PostgreSQL does not run as root: add a user named postgres")


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
        **as_account(account),
    )
    password_file.unlink()
