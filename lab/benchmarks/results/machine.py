"""The facts behind the numbers: the machine, the versions, the commit."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import psutil

from lab.benchmarks.results.record import Record
from lab.rig.processes import ROOT
from lab.rig.programs import services

PACKAGES: Final = (
    "daphne",
    "django",
    "django-eventstream",
    "psycopg",
    "sse-starlette",
    "starlette",
    "twisted",
    "uvicorn",
    "uvloop",
)
ASK_S: Final = 20


def new_record(arguments: list[str]) -> Record:
    """Return a record without parts: of now, and of this machine."""
    return Record(
        started=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        commit=_commit(),
        machine=_machine(),
        versions=_versions(),
        arguments=arguments,
    )


def sentence(record: Record) -> str:
    """Return the facts of a record as one paragraph of Markdown."""
    machine = record.machine
    load = ", ".join(f"{value:.1f}" for value in machine["load"])
    versions = ", ".join(f"{name} {number}" for name, number in record.versions.items())
    return (
        f"{record.started}, commit `{record.commit}`: {machine['cores']} cores "
        f"({machine['processor']}), {machine['memoryGiB']} GiB, {machine['system']}; "
        f"load {load} at the start. {versions}."
    )


def _machine() -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "memoryGiB": round(psutil.virtual_memory().total / 2**30),
        "system": f"{platform.system()} {platform.release()}",
        # Of the last 1, 5 and 15 minutes: other work disturbs.
        "load": [round(value, 1) for value in os.getloadavg()],
    }


def _versions() -> dict[str, str]:
    found = {"Python": platform.python_version(), "SQLite": sqlite3.sqlite_version}
    postgres = services.find_postgres()
    if postgres is not None:
        found["PostgreSQL"] = _said(str(postgres / "postgres"), "--version").split()[2]
    if (redis := services.find_redis()) is not None:
        words = _said(redis, "--version").split()
        found["Redis"] = next((w[2:] for w in words if w.startswith("v=")), words[-1])
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _commit() -> str:
    """Return the commit of the tree, with a + when it has changes; "unknown" without git."""
    try:
        commit = _said("git", "rev-parse", "--short=12", "HEAD").strip()
        is_changed = bool(_said("git", "status", "--porcelain", "--untracked-files=no").strip())
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{commit}+" if is_changed else commit


def _said(*command: str) -> str:
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=ASK_S
    )
    return done.stdout


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
