"""Installs Debian packages where that is possible: as root, on Debian or Ubuntu."""

import os
import shutil
import subprocess
from pathlib import Path


def can_install() -> bool:
    """Tell whether apt-get may be used here."""
    release = Path("/etc/os-release")
    if os.geteuid() != 0 or not shutil.which("apt-get") or not release.exists():
        return False
    lines = release.read_text(encoding="utf-8").splitlines()
    names = " ".join(line for line in lines if line.startswith(("ID=", "ID_LIKE=")))
    return "debian" in names or "ubuntu" in names


def install(*packages: str) -> bool:
    """Install packages without asking anything; True when apt-get says that all are there."""
    environment = os.environ | {
        "DEBIAN_FRONTEND": "noninteractive",
        # Tests start servers of their own: the packages' services must not start.
        "RUNLEVEL": "1",
    }
    # Another apt-get may be at work: wait for its lock instead of failing.
    apt = ["apt-get", "-qq", "-y", "-o", "DPkg::Lock::Timeout=300"]
    command = [*apt, "install", "--no-install-recommends", *packages]
    done = _run(command, environment)
    if done.returncode:
        _run([*apt, "update"], environment)
        done = _run(command, environment)
    if done.returncode:
        print(done.stderr.strip())
    return not done.returncode


def _run(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
