"""Finds the Chromium that the browser tests drive, or installs one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from lab.rig.programs import debian

# Without windows, and lighter for it: a page costs a fifth less of a processor.
_SHELL = "chromium-headless-shell"
_NAMES = (_SHELL, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# No sandbox: it refuses to run as root. The rest keeps the browser silent: it would look up its
# maker's hosts at every start.
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

HOW_TO_INSTALL = (
    "Chromium: install it so that `chromium` or `google-chrome` is on the PATH "
    "(Debian and Ubuntu: apt-get install chromium), or run `playwright install chromium`"
)


def find() -> str | None:
    """Return the path of the browser: on the PATH, else the one that Playwright installed."""
    for name in _NAMES:
        if path := shutil.which(name):
            return path
    return _playwrights_own()


def install() -> str | None:
    """Install a browser and return its path: a package of Debian's, else Playwright's download."""
    if debian.can_install() and any(debian.install(name) for name in (_SHELL, "chromium")):
        return find()
    subprocess.run(
        [sys.executable, "-m", "playwright", "install", "chromium"],
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return find()


def _playwrights_own() -> str | None:
    cache = os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or (
        "~/Library/Caches/ms-playwright" if sys.platform == "darwin" else "~/.cache/ms-playwright"
    )
    found = sorted(Path(cache).expanduser().glob("chromium-*/chrome-*/**/[cC]hrom*"))
    runnable = [path for path in found if path.is_file() and os.access(path, os.X_OK)]
    named = [path for path in runnable if path.name in {"chrome", "Chromium"}]
    return str(named[-1]) if named else None
