"""Installs what the tests need beside Python packages; fails and says what is missing.

One process does it before the tests start: parallel test workers would fight over apt's lock.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.support import chromium, debian, proxies, pushpin, services

NODE_AT_LEAST = 20


@dataclass(frozen=True)
class Need:
    """Something on this machine that the tests use."""

    find: Callable[[], str | Path | None]
    install: Callable[[], str | Path | None]
    how_to: str


def find_node() -> str | None:
    """Return the path of a Node.js that is new enough."""
    path = shutil.which("node")
    if path is None:
        return None
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=True)
    return path if int(version.stdout.lstrip("v").split(".")[0]) >= NODE_AT_LEAST else None


def install_node() -> str | None:
    """Install Debian's package where possible; return what find_node finds then."""
    if debian.can_install() and shutil.which("node") is None:
        debian.install("nodejs")
    return find_node()


NEEDS = {
    "Chromium": Need(chromium.find, chromium.install, chromium.HOW_TO_INSTALL),
    "PostgreSQL": Need(
        services.find_postgres, services.install_postgres, services.HOW_TO_INSTALL_POSTGRES
    ),
    "Redis": Need(services.find_redis, services.install_redis, services.HOW_TO_INSTALL_REDIS),
    "Proxies": Need(proxies.find_all, proxies.install_all, proxies.HOW_TO_INSTALL),
    "Pushpin": Need(pushpin.find, pushpin.install, pushpin.HOW_TO_INSTALL),
    "Node.js": Need(
        find_node, install_node, f"Node.js {NODE_AT_LEAST} or newer: `node` must be on the PATH"
    ),
}


def main() -> int:
    """Find or install each need; return the exit code."""
    missing = []
    for name, need in NEEDS.items():
        if need.find():
            continue
        print(f"Installing {name} for the tests …", flush=True)
        if not need.install():
            missing.append(need.how_to)
    for how_to in missing:
        print(f"The tests need {how_to}.", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
