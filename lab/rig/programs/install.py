"""The installation of the tests' programs beside Python packages; it fails and names a missing one.

One process does it before the tests start: parallel test workers would fight over apt's lock.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab.rig.programs import bubblewrap, chromium, proxies, pushpin, services


@dataclass(frozen=True)
class Need:
    """Something on this machine that the tests use."""

    find: Callable[[], str | Path | None]
    install: Callable[[], str | Path | None]
    how_to: str


NEEDS = {
    "Chromium": Need(chromium.find, chromium.install, chromium.HOW_TO_INSTALL),
    "PostgreSQL": Need(
        services.find_postgres, services.install_postgres, services.HOW_TO_INSTALL_POSTGRES
    ),
    "Redis": Need(services.find_redis, services.install_redis, services.HOW_TO_INSTALL_REDIS),
    "Proxies": Need(proxies.find_all, proxies.install_all, proxies.HOW_TO_INSTALL),
    "Bubblewrap": Need(bubblewrap.find, bubblewrap.install, bubblewrap.HOW_TO_INSTALL),
    "Pushpin": Need(pushpin.find, pushpin.install, pushpin.HOW_TO_INSTALL),
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
