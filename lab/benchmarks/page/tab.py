"""A tab of a real Chromium at a real server, watched by watch.js."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil
from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, sync_playwright

from lab.rig import origin_key
from lab.rig.folders import temporary_folder
from lab.rig.programs import chromium
from lab.rig.programs.traffic import Traffic
from lab.rig.servers import Server
from lab.rig.waiting import eventually

PERSON: Final = "person"
PATIENCE_MS: Final = 120_000
WATCH: Final = Path(__file__).with_name("watch.js")


@dataclass(frozen=True, slots=True)
class Line:
    """A line between the browser and the server: the time of a packet and its bits."""

    name: str
    latency_ms: float = 0
    mbit_per_s: float = -1

    @property
    def conditions(self) -> dict[str, Any]:
        """The line as the developer tools emulate it; -1 limits nothing."""
        bytes_per_s = self.mbit_per_s * 1e6 / 8 if self.mbit_per_s > 0 else -1
        return {
            "offline": False,
            "latency": self.latency_ms,
            "downloadThroughput": bytes_per_s,
            "uploadThroughput": bytes_per_s,
        }


@contextmanager
def serving() -> Iterator[tuple[Server, Browser]]:
    """Run a server and a browser for as long as the block runs."""
    program = chromium.find()
    if program is None:
        raise RuntimeError(f"the page is measured in {chromium.HOW_TO_INSTALL}")
    with temporary_folder() as folder, sync_playwright() as playwright:
        server = Server(folder).start()
        browser = playwright.chromium.launch(executable_path=program, args=list(chromium.ARGUMENTS))
        try:
            yield server, browser
        finally:
            browser.close()
            server.close()


@contextmanager
def visiting(server: Server, browser: Browser) -> Iterator[BrowserContext]:
    """Give a browser that is logged in and has cached nothing."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    context.add_init_script(origin_key.SCRIPT)
    context.add_init_script(path=WATCH)
    cookies = server.login(PERSON).items()
    context.add_cookies(
        [{"name": key, "value": value, "url": server.url} for key, value in cookies]
    )
    try:
        yield context
    finally:
        context.close()


class Tab:
    """One tab over a line."""

    def __init__(self, context: BrowserContext, line: Line) -> None:
        self.page: Page = context.new_page()
        self._devtools: CDPSession = context.new_cdp_session(self.page)
        self._devtools.send("Network.enable")
        self._devtools.send("Network.emulateNetworkConditions", line.conditions)
        self.traffic = Traffic(self._devtools)

    def open(self, address: str) -> None:
        """Load a page until its stream is live."""
        self.page.goto(address, wait_until="commit")
        self.wait("globalThis.bench?.liveMs > 0")

    def wait_for_files(self) -> None:
        """Wait until every answer but the stream has come."""

        def is_quiet() -> bool:
            self.page.evaluate("0")  # takes the events of the developer tools
            return self.traffic.all_came()

        eventually(is_quiet, what="the end of each answer")

    def wait(self, condition: str) -> None:
        """Wait for a condition; the policy of the page forbids those that Playwright polls."""
        within_s = PATIENCE_MS / 1000
        eventually(lambda: self.page.evaluate(condition), within_s=within_s, what=condition)

    def close(self) -> None:
        """Close the tab."""
        self.page.close()


def memory_mb(browser: Browser) -> float:
    """Return the memory of the largest renderer."""
    told = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")
    pids = [each["id"] for each in told["processInfo"] if each["type"] == "renderer"]
    return float(max(psutil.Process(pid).memory_info().rss for pid in pids)) / 1e6
