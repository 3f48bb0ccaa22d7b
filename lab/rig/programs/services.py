"""PostgreSQL and Redis servers on loopback, in folders of their own; a caller may crash them."""

from __future__ import annotations

import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg
import redis
from psycopg import sql

from lab.rig.folders import temporary_folder
from lab.rig.ports import Port
from lab.rig.processes import Account, NotServing, Process, clean_environment
from lab.rig.programs import debian

HOST: Final = "127.0.0.1"
USER: Final = "backstay"
HOW_TO_INSTALL_POSTGRES: Final = (
    "PostgreSQL: install the server, so that `initdb` and `postgres` are on the PATH or in "
    "/usr/lib/postgresql/*/bin (Debian and Ubuntu: apt-get install postgresql)"
)
HOW_TO_INSTALL_REDIS: Final = (
    "Redis: install `redis-server` or `valkey-server` "
    "(Debian and Ubuntu: apt-get install redis-server)"
)
# A commit survives a kill, but no power cut: the data goes with the run.
FORGETFUL: Final = ("-c", "fsync=off", "-c", "full_page_writes=off")


class ServiceMissing(RuntimeError):
    """A server is not installed; the message says how to install it."""


class Postgres:
    """A PostgreSQL server. `url` names its first database."""

    def __init__(self, folder: Path, *, log: Path | None = None, is_durable: bool = False) -> None:
        """is_durable: every commit waits for the disk, as a measurement of it needs."""
        programs = find_postgres()
        if programs is None:
            raise ServiceMissing(HOW_TO_INSTALL_POSTGRES)
        self._port = Port()
        self._password = secrets.token_hex(16)
        account = _server_account()
        _make_cluster(programs / "initdb", folder, self._password, account)
        command = [
            str(programs / "postgres"),
            *("-D", str(folder / "cluster"), "-p", str(self._port.number)),
            *("-c", f"listen_addresses={HOST}", "-c", "unix_socket_directories="),
            *("-c", "max_connections=300"),
            *(() if is_durable else FORGETFUL),
        ]
        self.process = Process(
            "database",
            command,
            environment=clean_environment(),
            log=log or folder.with_suffix(".log"),
            probe=self._connect,
            account=account,
            folder=folder,
        )

    @property
    def url(self) -> str:
        """Return the DATABASE_URL of the server's first database."""
        return self._url_of("postgres")

    def create_database(self) -> str:
        """Make an empty database and return its DATABASE_URL."""
        name = f"backstay_{secrets.token_hex(6)}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self._url_of(name)

    def close(self) -> None:
        """Stop the server and give its port back."""
        self.process.end(signal.SIGINT)
        self._port.release()

    def _url_of(self, database: str) -> str:
        return f"postgresql://{USER}:{self._password}@{HOST}:{self._port.number}/{database}"

    def _connect(self) -> None:
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError as exc:
            raise NotServing(str(exc)) from exc


class Redis:
    """A Redis or Valkey server."""

    def __init__(self, folder: Path, *, log: Path | None = None) -> None:
        program = find_redis()
        if program is None:
            raise ServiceMissing(HOW_TO_INSTALL_REDIS)
        self._port = Port()
        folder.mkdir(mode=0o700)
        command = [program, "--bind", HOST, "--port", str(self._port.number)]
        command += ["--dir", str(folder), "--save", "", "--appendonly", "no"]
        self.process = Process(
            "redis",
            command,
            environment=clean_environment(),
            log=log or folder.with_suffix(".log"),
            probe=self._ask,
            folder=folder,
        )

    @property
    def url(self) -> str:
        """Return the REDIS_URL."""
        return f"redis://{HOST}:{self._port.number}/0"

    def close(self) -> None:
        """Stop the server and give its port back."""
        self.process.end(signal.SIGTERM)
        self._port.release()

    def _ask(self) -> None:
        try:
            with redis.Redis(host=HOST, port=self._port.number, socket_timeout=2) as client:
                pid = client.info("server")["process_id"]
        except redis.RedisError as exc:
            raise NotServing(str(exc)) from exc
        if pid != self.process.pid:
            raise NotServing(f"process {pid} answers at the port")


@contextmanager
def running(service: Postgres | Redis) -> Iterator[None]:
    """Run a server for as long as the block runs."""
    try:
        service.process.start()
        service.process.wait_until_serving()
        yield
    finally:
        service.close()


@contextmanager
def postgres(*, is_durable: bool = False) -> Iterator[Postgres]:
    """Give a running PostgreSQL server of its own."""
    with temporary_folder() as folder:
        server = Postgres(folder / "postgres", is_durable=is_durable)
        with running(server):
            yield server


@contextmanager
def redis_server() -> Iterator[str]:
    """Give the REDIS_URL of a running server of its own."""
    with temporary_folder() as folder:
        server = Redis(folder / "redis")
        with running(server):
            yield server.url


def find_postgres() -> Path | None:
    """Return the folder that holds initdb and postgres: on the PATH, else the newest version."""
    folders = [Path(path) for path in os.environ.get("PATH", "").split(os.pathsep) if path]
    # Debian keeps the server's programs off the PATH.
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True)
    for folder in folders:
        if all(os.access(folder / name, os.X_OK) for name in ("initdb", "postgres")):
            return folder
    return None


def find_redis() -> str | None:
    """Return the path of redis-server or valkey-server."""
    return shutil.which("redis-server") or shutil.which("valkey-server")


def are_installed() -> bool:
    """Return whether both servers can be started here."""
    return find_postgres() is not None and find_redis() is not None


def install_postgres() -> Path | None:
    """Install the server where possible; return the result of find_postgres then."""
    if debian.can_install():
        debian.install("postgresql")
    return find_postgres()


def install_redis() -> str | None:
    """Install the server where possible; return the result of find_redis then."""
    if debian.can_install() and not debian.install("redis-server"):
        debian.install("valkey-server")
    return find_redis()


def _version(folder: Path) -> tuple[int, ...]:
    """Return the version in the path of a Debian package, as numbers: 9.6 is older than 15."""
    return tuple(int(number) for number in re.findall(r"\d+", folder.parent.name))


def _server_account() -> Account | None:
    """PostgreSQL refuses to run as root: return the account to run it as then."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in names:
            return names[name].pw_uid, names[name].pw_gid
    raise ServiceMissing("PostgreSQL does not run as root: add a user named postgres")


def _make_cluster(initdb: Path, folder: Path, password: str, account: Account | None) -> None:
    folder.mkdir(mode=0o700)
    secret = folder / "password"
    secret.write_text(password, encoding="ascii")
    secret.chmod(0o600)
    user, group = account or (None, None)
    if account is not None:
        os.chown(folder, *account)
        os.chown(secret, *account)
    command = [str(initdb), "-D", str(folder / "cluster"), "-U", USER, "--pwfile", str(secret)]
    command += ["--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync"]
    made = subprocess.run(
        command,
        check=False,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        user=user,
        group=group,
        extra_groups=[] if account else None,
    )
    secret.unlink()
    if made.returncode:
        raise RuntimeError(f"initdb ended with {made.returncode}:\n{made.stderr}")
