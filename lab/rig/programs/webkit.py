"""WebKitGTK of Debian: its WebDriver, its small browser, and the display that they need."""

import shutil
from pathlib import Path

from lab.rig.programs import debian

DRIVER = "WebKitWebDriver"
DISPLAY = "Xvfb"
HOW_TO_INSTALL = (
    "WebKitGTK: install its driver and a display, so that `WebKitWebDriver` and `Xvfb` are on the "
    "PATH (Debian and Ubuntu: apt-get install webkit2gtk-driver xvfb)"
)


def find_browser() -> Path | None:
    """Return the path of the browser that comes with the library, the newest one."""
    found = sorted(Path("/usr/lib").glob("*/webkit2gtk-4.*/MiniBrowser"))
    return found[-1] if found else None


def find() -> str | None:
    """Return the path of the driver when the browser and the display are there, too."""
    if find_browser() is None or shutil.which(DISPLAY) is None:
        return None
    return shutil.which(DRIVER)


def install() -> str | None:
    """Install Debian's packages where possible; return the result of find then."""
    if debian.can_install():
        debian.install("webkit2gtk-driver", "xvfb")
    return find()
