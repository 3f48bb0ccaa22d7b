"""A tab of a browser, whichever browser it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Protocol

# An answer of a browser to one command.
PATIENCE_S: Final = 60.0
DESKTOP: Final = (1280, 800)
PHONE: Final = (390, 844)


class Tab(Protocol):
    """One tab; its positions and sizes are CSS pixels of its viewport."""

    @property
    def version(self) -> str:
        """The browser's name and version."""

    def open(self, address: str) -> None:
        """Open an address; return when the document has loaded."""

    def reload(self) -> None:
        """Load the document again; return when it has loaded."""

    def evaluate(self, expression: str) -> Any:
        """Return the JSON value of an expression of JavaScript. Raises TabFailed."""

    def click(self, x: int, y: int) -> None:
        """Press the mouse at a place and let it go."""

    def write(self, text: str) -> None:
        """Press the key of each character; a new line is Enter."""

    def resize(self, width: int, height: int) -> None:
        """Give the viewport a size."""

    def picture(self, path: Path) -> None:
        """Write a PNG of the viewport."""


class TabFailed(RuntimeError):
    """A browser refused a command; the message has its words."""
