"""The chat page as a person sees it: what the browser tests do and read there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from playwright.async_api import BrowserContext, Locator, Page, expect

from lab.rig import origin_key
from lab.rig.waiting import PATIENCE_S
from tests.support.server import Server

_MAIN = Path(__file__).parents[2] / "sessions/static/sessions/main.js"

# What the transcript shows: (role, text), an answer as the text that a reader would copy.
Shown = list[tuple[str, str]]

# A browser leaves out what is out of sight; its innerText is empty meanwhile.
_READ_TRANSCRIPT = """() => {
  const left = [...document.querySelectorAll("#transcript .is-measured")];
  for (const { style } of left) style.contentVisibility = "visible";
  const shown = [...document.querySelectorAll("#transcript > .part > li")].map((li) => {
    const role = li.classList[1] ?? li.classList[0];
    const parts = [...li.querySelectorAll(".prompt-text, .prose")].map((part) => part.innerText);
    const text = parts.length ? parts.join("\\n") : li.innerText;
    return [role, text.trim()];
  });
  for (const { style } of left) style.contentVisibility = "";
  return shown;
}"""

# Records, from the first moment on, every text that an answer has shown.
_RECORD_ANSWERS = """() => {
  window.seenAnswers = [];
  new MutationObserver(() => {
    const text = [...document.querySelectorAll(".answer .prose")].at(-1)?.textContent ?? "";
    if (text !== window.seenAnswers.at(-1)) window.seenAnswers.push(text);
  }).observe(document.getElementById("transcript"), { childList: true, subtree: true, characterData: true });
}"""  # noqa: E501 (JavaScript)


async def eventually(
    check: Callable[[], Awaitable[Any]], *, within_s: float = PATIENCE_S, what: str = "it"
) -> Any:
    """Return the first true result of check; fail when there is none within the deadline."""
    deadline = time.monotonic() + within_s
    while True:
        result = await check()
        if result:
            return result
        assert time.monotonic() < deadline, f"{what} did not happen within {within_s} s"
        await asyncio.sleep(0.05)


async def becomes_true(page: Page, expression: str) -> None:
    """Return when an expression of JavaScript is true on a page.

    Playwright's own wait evaluates text in the page itself: the policy of our pages forbids that
    whenever the first look finds nothing.
    """
    await eventually(lambda: page.evaluate(expression), what=expression)


class Chat:
    """One person's chat page in one tab."""

    def __init__(self, page: Page, server: Server, name: str, *, url: str | None = None) -> None:
        self.page = page
        self.server = server
        self.url = url or server.url  # another one where a proxy stands before the server
        self.name = name
        self.line = page.locator("#line")
        self.prompt = page.locator("#prompt")
        self.answers = page.locator(".answer")
        self.prompts = page.locator(".prompt")
        self.deliveries = page.locator(".delivery-label")

    @classmethod
    async def of(cls, page: Page, server: Server, name: str) -> Chat:
        """Return the page of a person who is logged in; nothing is opened yet."""
        await log_in(page.context, server, name)
        return cls(page, server, name)

    async def open(self, path: str = "/") -> None:
        """Open a page and wait until its stream is live."""
        await self.page.goto(self.url + path)
        await self.live()

    async def live(self, *, within_s: float = 15.0) -> None:
        """Wait until the stream is live."""
        await expect(self.line).to_have_attribute("data-kind", "live", timeout=within_s * 1000)

    async def send(self, text: str) -> None:
        """Write a prompt and press Enter."""
        await self.prompt.fill(text)
        await self.prompt.press("Enter")

    async def ask(self, text: str, *, within_s: float = PATIENCE_S) -> None:
        """Send a prompt and wait until it is answered."""
        before = await self.prompts.count()
        await self.send(text)
        await expect(self.deliveries.nth(before)).to_have_text("Answered", timeout=within_s * 1000)

    async def answered(self, count: int, *, within_s: float = PATIENCE_S) -> None:
        """Wait until so many prompts are shown, every one of them answered.

        A prompt appears with the frame after its Enter: until then the last one is an older one.
        """
        await expect(self.deliveries).to_have_text(["Answered"] * count, timeout=within_s * 1000)

    @property
    def session(self) -> str:
        """The id of the session that the address names."""
        return self.page.url.rsplit("/", 1)[-1]

    def log(self) -> list[dict[str, Any]]:
        """Return the events of this session, from the server's database."""
        return list(self.server.data.call("events", session=self.session))

    async def in_session(self) -> str:
        """Wait until the new chat has its session; return its id."""
        await self.page.wait_for_url("**/s/*")
        return self.session

    async def transcript(self) -> Shown:
        """Return what is shown."""
        return [(role, text) for role, text in await self.page.evaluate(_READ_TRANSCRIPT)]

    async def record(self) -> None:
        """Begin to record the texts of the last answer."""
        await self.page.evaluate(_RECORD_ANSWERS)

    async def recorded(self) -> list[str]:
        """Return every text of an answer that was ever shown, in order."""
        return list(await self.page.evaluate("window.seenAnswers"))

    def last_answer(self) -> Locator:
        """The last answer's text."""
        return self.page.locator(".answer .prose").last

    async def overflow_px(self) -> int:
        """Return how far the page can be scrolled sideways."""
        return int(
            await self.page.evaluate(
                "Math.max(document.documentElement.scrollWidth - innerWidth,"
                " document.getElementById('scroll').scrollWidth"
                " - document.getElementById('scroll').clientWidth)"
            )
        )


async def as_modules(page: Page) -> None:
    """Load the page's modules one by one, so that a test can import one: the bundle hides them."""
    await page.route(
        "**/sessions/main.js",
        lambda route: route.fulfill(content_type="text/javascript", body=_MAIN.read_text()),
    )


async def log_in(context: BrowserContext, server: Server, name: str) -> None:
    """Give a browser the cookies of a log-in."""
    cookies = server.login(name)
    await context.add_init_script(origin_key.SCRIPT)
    await context.add_cookies(
        [{"name": key, "value": value, "url": server.url} for key, value in cookies.items()]
    )


def words(count: int) -> str:
    """Return what the demo agent's /slow says."""
    return " ".join(f"word{number}" for number in range(1, count + 1))
