"""Chromium, driven by Playwright as in the tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Error, Page, sync_playwright

from lab.browsers.tab import DESKTOP, PATIENCE_S, TabFailed
from lab.rig.programs import chromium


class ChromiumTab:
    """A tab of Chromium."""

    def __init__(self, page: Page, version: str) -> None:
        self._page = page
        self.version = f"Chromium {version}"

    def open(self, address: str) -> None:
        """Open an address."""
        self._page.goto(address)

    def reload(self) -> None:
        """Load the document again."""
        self._page.reload()

    def evaluate(self, expression: str) -> Any:
        """Return the JSON value of an expression."""
        try:
            return self._page.evaluate(expression)
        except Error as exc:
            raise TabFailed(exc.message) from exc

    def click(self, x: int, y: int) -> None:
        """Press the mouse at a place."""
        self._page.mouse.click(x, y)

    def write(self, text: str) -> None:
        """Press the key of each character."""
        self._page.keyboard.type(text)

    def resize(self, width: int, height: int) -> None:
        """Give the viewport a size."""
        self._page.set_viewport_size({"width": width, "height": height})

    def picture(self, path: Path) -> None:
        """Write a PNG of the viewport."""
        self._page.screenshot(path=path)


@contextmanager
def opened(_folder: Path) -> Iterator[ChromiumTab]:
    """Run the browser with one tab for as long as the block runs."""
    width, height = DESKTOP
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium.find(), args=list(chromium.ARGUMENTS)
        )
        try:
            page = browser.new_page(viewport={"width": width, "height": height})
            page.set_default_timeout(PATIENCE_S * 1000)
            yield ChromiumTab(page, browser.version)
        finally:
            browser.close()
