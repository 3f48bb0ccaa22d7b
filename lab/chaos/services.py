"""A PostgreSQL and a Redis server that may be crashed: on loopback, in a folder of their own."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
from pathlib import Path
from typing import Final

from lab.chaos.processes import Process, clean_environment, free_port

USER: Final = "backstay"


class ServiceMissing(RuntimeError):
    """A server is not installed here; the message says what to do."""


def find_postgres() -> Path:
    """Return the folder of initdb and postgres. Raises ServiceMissing."""
    found = [Path(name) for name in os.environ.get("PATH", "").split(os.pathsep) if name]
    # Debian keeps the server's programs off the PATH.
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in found:
        if all(os.access(folder / name, os.X_OK) for name in ("initdb", "postgres")):
            return folder
    raise ServiceMissing("PostgreSQL's server is not installed (Debian: apt install postgresql)")


def find_redis() -> str:
    """Return the path of redis-server or valkey-server. Raises ServiceMissing."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        raise ServiceMissing("Redis is not installed (Debian: apt install redis-server)")
    return program


def are_installed() -> bool:
    """Return whether both servers can be started here."""
    try:
        find_postgres()
        find_redis()
    except ServiceMissing:
        return False
    return True


def postgres(folder: Path) -> tuple[Process, str]:
    """Return a server that is not started yet, and its DATABASE_URL.

    What is committed survives a kill of the server: its files are written, only not synced.
    """
    programs = find_postgres()
    account = _account()
    folder.mkdir(mode=0o700)
    password, port = secrets.token_hex(16), free_port()
    secret = folder / "password"
    secret.write_text(password, encoding="ascii")
    secret.chmod(0o600)
    if account is not None:
        os.chown(folder, *account)
        os.chown(secret, *account)
    _initdb(programs / "initdb", folder, secret, account)
    command = [
        str(programs / "postgres"),
        *("-D", str(folder / "cluster"), "-k", str(folder), "-p", str(port)),
        *("-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"),
        *("-c", "fsync=off", "-c", "full_page_writes=off"),
    ]
    process = Process(
        "database",
        command,
        environment=clean_environment(),
        log=folder.parent / "database.log",
        port=port,
        account=account,
        folder=folder,
    )
    return process, f"postgresql://{USER}:{password}@127.0.0.1:{port}/postgres"


def redis(folder: Path) -> tuple[Process, str]:
    """Return a server that is not started yet, and its REDIS_URL."""
    program, port = find_redis(), free_port()
    folder.mkdir(mode=0o700)
    command = [program, "--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder)]
    command += ["--save", "", "--appendonly", "no"]
    process = Process(
        "redis",
        command,
        environment=clean_environment(),
        log=folder.parent / "redis.log",
        port=port,
        folder=folder,
    )
    return process, f"redis://127.0.0.1:{port}/0"


def _account() -> tuple[int, int] | None:
    """PostgreSQL refuses to run as root: return the account to run it as then."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return found.pw_uid, found.pw_gid
    raise ServiceMissing("PostgreSQL does not run as root: add a user named postgres")


def _initdb(program: Path, folder: Path, secret: Path, account: tuple[int, int] | None) -> None:
    command = [str(program), "-D", str(folder / "cluster"), "-U", USER, "--pwfile", str(secret)]
    command += ["--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync"]
    user, group = account or (None, None)
    subprocess.run(  # noqa: S603 (PostgreSQL's own program)
        command,
        check=True,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        timeout=120,
        user=user,
        group=group,
        extra_groups=[] if account else None,
    )
