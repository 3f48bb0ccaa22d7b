"""A patient person who loads everything that a page does not show yet."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from playwright.async_api import Error, Page

# One request may reach its deadline and be made again before anything more comes.
STALL_S: Final = 60.0
CLICK_MS: Final = 2_000
STEP_S: Final = 0.2

# All is there when no request of the page is under way either (recorder.js).
# held: changes with every message and every skipped event that the page gets.
_LOOK: Final = """async () => {
  document.getElementById("scroll").scrollTop = 0;
  await new Promise(requestAnimationFrame); // the page draws first what it has
  const older = document.getElementById("older-text").textContent;
  const skips = [...document.querySelectorAll(".skip")];
  const loaded = skips.filter((skip) => skip.dataset.state === "loaded");
  const counts = skips.map((skip) => /Loading ([0-9]+) of/.exec(skip.textContent)?.[1] ?? "");
  return {
    isDone:
      loaded.length === skips.length && older.startsWith("The beginning") && !window.chaosReads?.(),
    held: [document.querySelectorAll("#transcript .item").length, loaded.length, counts].join(" "),
    words: [older, ...skips.map((skip) => skip.textContent)].join(" | "),
  };
}"""
# A button that loads already is aria-disabled, and a click would wait for its end.
_BUTTONS: Final = (
    '.skip[data-state="open"] button, .skip[data-state="failed"] button, #older-retry:not([hidden])'
)


async def load_everything(page: Page, *, stall_s: float = STALL_S) -> str:
    """Load all that is older or was skipped; return why it could not be, empty when it could.

    The list changes while a person reaches for a button, so that a click may miss: the person
    looks again. Only a page that gets nothing more for stall_s has broken a promise.
    """
    seen: set[str] = set()
    was_done = False
    moved_at = time.monotonic()
    missed = "every click arrived"
    while True:
        look = await page.evaluate(_LOOK)
        if look["isDone"] and was_done:  # twice: there is a moment between two requests
            return ""
        was_done = look["isDone"]
        if look["held"] not in seen:
            seen.add(look["held"])
            moved_at = time.monotonic()
        elif time.monotonic() - moved_at > stall_s:
            return f"nothing more came for {stall_s:.0f} s: {look['words']} ({missed})"
        try:
            await _press_one(page)
        except Error as exc:
            missed = f"a click missed: {exc.message.partition(chr(10))[0]}"
        await asyncio.sleep(STEP_S)


async def _press_one(page: Page) -> None:
    buttons = page.locator(_BUTTONS)
    if await buttons.count():
        await buttons.first.click(timeout=CLICK_MS)
