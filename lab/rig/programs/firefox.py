"""Firefox of Debian, which speaks WebDriver BiDi without a driver beside it."""

import shutil

from lab.rig.programs import debian

HOW_TO_INSTALL = (
    "Firefox: install it so that `firefox-esr` or `firefox` is on the PATH "
    "(Debian: apt-get install firefox-esr)"
)


def find() -> str | None:
    """Return the path of the browser."""
    return shutil.which("firefox-esr") or shutil.which("firefox")


def install() -> str | None:
    """Install Debian's package where possible; return the result of find then."""
    if debian.can_install():
        debian.install("firefox-esr")
    return find()
