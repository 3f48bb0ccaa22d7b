"""Bubblewrap, which confines agents where the kernel has no Landlock."""

import shutil

from lab.rig.programs import debian

HOW_TO_INSTALL = "bubblewrap: install `bwrap` (Debian and Ubuntu: apt-get install bubblewrap)"


def find() -> str | None:
    """Return the path of bwrap."""
    return shutil.which("bwrap")


def install() -> str | None:
    """Install bubblewrap where possible; return what find finds then."""
    if debian.can_install():
        debian.install("bubblewrap")
    return find()
