"""Minification, in a process of its own: the library brings a runtime that must not be forked.

`python -m chatproject.assets.minify TYPE` reads a text and writes it minified.
"""

from __future__ import annotations

import importlib.util
import logging
import subprocess
import sys
from typing import Final

logger = logging.getLogger(__name__)

TIMEOUT_S: Final = 30


def minified(text: str, kind: str) -> str:
    """Return a text shorter, or as it is where the library is missing or fails. kind: its type."""
    if importlib.util.find_spec("minify") is None:  # there is none for this platform
        return text
    try:
        done = subprocess.run(  # noqa: S603 (our own program, and a type from this package)
            [sys.executable, "-m", __name__, kind],
            input=text.encode(),
            capture_output=True,
            check=True,
            timeout=TIMEOUT_S,
        )
    except (OSError, subprocess.SubprocessError):
        logger.exception("cannot minify", extra={"kind": kind})
        return text
    return done.stdout.decode()


def main(kind: str) -> None:
    """Minify the standard input."""
    import minify  # noqa: PLC0415 (in this process alone)

    text = sys.stdin.buffer.read().decode()
    sys.stdout.buffer.write(minify.string(kind, text).encode())


if __name__ == "__main__":
    main(sys.argv[1])
