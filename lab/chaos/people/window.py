"""The window of a real Chromium with the chat page in it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

from playwright.async_api import (
    BrowserContext,
    CDPSession,
    Error,
    Frame,
    Page,
    Route,
    async_playwright,
)

from lab.chaos.evidence import Json
from lab.chaos.people.loading import CLICK_MS
from lab.rig import origin_key
from lab.rig.processes import ROOT
from lab.rig.programs import chromium

logger = logging.getLogger(__name__)

RECORDER: Final = Path(__file__).with_name("recorder.js")
MAIN: Final = ROOT / "sessions/static/sessions/main.js"
LOAD_MS: Final = 8_000
# A person notices that a page has not come, and loads it again.
RELOAD_S: Final = 0.5

# The transcript as a person reads it: [kind, text] from top to bottom.
_READ: Final = """() => [...document.querySelectorAll("#transcript .prompt, #transcript .answer")].filter((item) => {
  const buttons = [...item.querySelectorAll(".is-needed > button:not([hidden])")];
  return !buttons.some((button) => button.textContent === "Send again"); // shown as not sent: no part of the log
}).map((item) => {
  if (item.classList.contains("prompt")) return ["prompt", item.querySelector(".prompt-text").textContent];
  const isOfTheAnswer = (part) => !part.closest("details");
  const texts = [...item.querySelectorAll(".prose")].filter(isOfTheAnswer).map((part) => {
    const copy = part.cloneNode(true);
    copy.querySelectorAll(".code-frame > :not(pre)").forEach((tool) => tool.remove());
    return copy.textContent;
  });
  return ["answer", texts.join("")];
})"""  # noqa: E501 (JavaScript)
_STAND: Final = """() => ({
  isReady: document.body?.dataset.ready === "true",
  offersReload: [...document.querySelectorAll("#toasts button")].some((button) => button.textContent === "Reload"),
  line: document.getElementById("line")?.dataset.kind ?? "none",
  pending: Object.keys(sessionStorage).filter((key) => key.startsWith("backstay.outbox."))
    .flatMap((key) => JSON.parse(sessionStorage[key]).entries)
    .map((entry) => [entry.clientMsgId, entry.state]),
  waiting: document.querySelectorAll('.prompt[data-state="accepted"]').length,
})"""  # noqa: E501 (JavaScript)


async def _serve_modules(route: Route) -> None:
    """Answer with the page's own script: its modules then come one by one, to be watched."""
    await route.fulfill(content_type="text/javascript", body=MAIN.read_text(encoding="utf-8"))


class Window:
    """One window at one address. name: for the log."""

    def __init__(self, name: str, url: str) -> None:
        self._name = name
        self._url = url
        self._running = AsyncExitStack()
        self._context: BrowserContext | None = None
        self._page: Page | None = None
        self._path = "/"
        self._devtools: CDPSession | None = None

    async def open(
        self,
        cookies: Mapping[str, str],
        *,
        on_note: Callable[..., None],
        on_error: Callable[[str], None],
    ) -> None:
        """Start the browser and log in. on_note: gets the observations of recorder.js."""
        playwright = await self._running.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(
            executable_path=chromium.find(), args=list(chromium.ARGUMENTS)
        )
        self._running.push_async_callback(browser.close)
        self._context = await browser.new_context()
        self._context.set_default_timeout(CLICK_MS)
        await self._context.add_cookies(
            [{"name": name, "value": value, "url": self._url} for name, value in cookies.items()]
        )
        await self._context.add_init_script(origin_key.SCRIPT)
        await self._context.expose_binding("chaosNote", on_note)
        await self._context.add_init_script(path=RECORDER)
        await self._context.route("**/sessions/main.js", _serve_modules)
        self._page = await self._context.new_page()
        self._page.on("pageerror", lambda error: on_error(error.message))
        self._page.on("framenavigated", self._came_to)
        self._devtools = await self._context.new_cdp_session(self._page)

    async def close(self) -> None:
        """Close the browser; a second call changes nothing."""
        self._context = self._page = self._devtools = None
        await self._running.aclose()

    @property
    def page(self) -> Page:
        """The page in it."""
        if self._page is None:
            raise RuntimeError("the page is closed")
        return self._page

    @property
    def path(self) -> str:
        """The path of its address; of the last one while the browser shows an error of its own."""
        return self._path

    def _came_to(self, frame: Frame) -> None:
        if frame.parent_frame is None and frame.url.startswith(self._url):
            self._path = frame.url.removeprefix(self._url)

    async def load(self, path: str) -> None:
        """Load a page until it has come, as a person with the reload button does."""
        while True:
            if await self.attempt(self.load_once(path)):
                return
            await asyncio.sleep(RELOAD_S)

    async def load_once(self, path: str) -> None:
        """Load a page. Raises Error when it does not come in LOAD_MS."""
        await self.page.goto(self._url + path, wait_until="commit", timeout=LOAD_MS)
        await self.page.wait_for_selector("body[data-ready]", state="attached", timeout=LOAD_MS)

    async def settle(self) -> Json:
        """Wait for a live line or an offer to reload, at most LOAD_MS; return the state then."""
        either = self.page.locator("#line[data-kind=live], #toasts button:text-is('Reload')")
        await self.attempt(either.first.wait_for(state="attached", timeout=LOAD_MS))
        return await self.stand()

    async def stand(self) -> Json:
        """Return the state of the page: its scripts, its line, its outbox."""
        stand: Json = {"isReady": False, "offersReload": False, "line": "none"}
        stand |= {"pending": [], "waiting": 0}

        async def look() -> None:
            stand.update(await asyncio.wait_for(self.page.evaluate(_STAND), LOAD_MS / 1000))

        await self.attempt(look())
        return stand

    async def read(self) -> list[tuple[str, str]]:
        """Return the transcript on the screen: (prompt or answer, its text), from top to bottom."""
        return [(kind, text) for kind, text in await self.page.evaluate(_READ)]

    async def attempt(self, deed: Awaitable[Any]) -> bool:
        """Try an action that an absent or busy page may refuse; return whether it worked."""
        try:
            await deed
        except (Error, TimeoutError) as exc:
            logger.info("%s could not: %s", self._name, str(exc).partition("\n")[0])
            return False
        return True

    async def freeze(self, *, frozen: bool) -> None:
        """Freeze the page as a phone does, or thaw it: where it is on its way, once it has come."""
        state = "frozen" if frozen else "active"
        last_try = time.monotonic() + LOAD_MS / 1000
        while self._devtools is not None and time.monotonic() < last_try:
            order = self._devtools.send("Page.setWebLifecycleState", {"state": state})
            if await self.attempt(order):
                return
            await asyncio.sleep(RELOAD_S)

    async def go_offline(self, for_s: float) -> None:
        """Take the network away for a time."""
        context = self._context
        if context is not None:
            await context.set_offline(True)
            try:
                await asyncio.sleep(for_s)
            finally:
                await context.set_offline(False)
