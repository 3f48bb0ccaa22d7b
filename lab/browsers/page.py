"""The page as a person uses it: words on buttons, a mouse, a keyboard, eyes."""

from __future__ import annotations

import json
from typing import Any, Final

from lab.browsers.tab import Tab, TabFailed
from lab.rig.waiting import PATIENCE_S, eventually

# The place to press of the last element in sight with these words: [x, y], or null while there is
# none or another element lies above it. The words are its label, or its text.
_PLACE: Final = """((selector, words) => {
  const named = (e) => !words || e.ariaLabel === words || e.innerText.trim() === words;
  const shown = [...document.querySelectorAll(selector)].filter(
    (e) => e.checkVisibility({ visibilityProperty: true }) && named(e));
  const found = shown.at(-1);
  if (!found) return null;
  found.scrollIntoView({ block: "nearest", inline: "nearest" });
  const { left, top, width, height } = found.getBoundingClientRect();
  const [x, y] = [Math.round(left + width / 2), Math.round(top + height / 2)];
  const hit = document.elementFromPoint(x, y);
  return hit && (found.contains(hit) || hit.contains(found)) ? [x, y] : null;
})"""
# Errors of scripts from now on, kept in the window.
_LISTEN: Final = """(() => {
  if (window.labErrors) return;
  window.labErrors = [];
  // A browser tells it when it puts a callback off to the next frame: no script has failed.
  const isTold = ({ message }) => message.startsWith("ResizeObserver loop");
  addEventListener("error", (event) => isTold(event) || labErrors.push(event.message));
  addEventListener("unhandledrejection", (event) => labErrors.push(String(event.reason)));
})()"""
_OVERFLOW_PX: Final = """Math.max(
  document.documentElement.scrollWidth - innerWidth,
  ...[...document.querySelectorAll("#scroll, #sidebar, .dock")].map(
    (e) => e.scrollWidth - e.clientWidth))"""
DELIVERIES: Final = (
    "[...document.querySelectorAll('.delivery-label')].map((e) => e.textContent.trim())"
)


class Page:
    """A tab that shows the page; each wait has a deadline, and says what it has waited for."""

    def __init__(self, tab: Tab, url: str) -> None:
        self.tab = tab
        self._url = url
        self.errors: list[str] = []

    def open(self, path: str = "/") -> None:
        """Open a page below the server's address."""
        self._keep_errors()
        self.tab.open(self._url + path)
        self.tab.evaluate(_LISTEN)

    def reload(self) -> None:
        """Load the page again."""
        self._keep_errors()
        self.tab.reload()
        self.tab.evaluate(_LISTEN)

    def new_chat(self) -> None:
        """Open a new chat with the demo agent, and wait until it is live."""
        self.open()
        self.live()
        self.press(".agent:has([value=demo])")

    def live(self) -> None:
        """Wait until the stream is live."""
        self.wait("document.getElementById('line')?.dataset.kind === 'live'")

    def wait(self, condition: str, *, within_s: float = PATIENCE_S) -> Any:
        """Return the first true value of an expression. Raises TimeoutError."""
        return eventually(lambda: self._look(condition), within_s=within_s, what=condition)

    def has(self, selector: str) -> Any:
        """Wait for an element in sight."""
        return self.wait(f"document.querySelector({json.dumps(selector)})?.checkVisibility()")

    def press(self, selector: str, words: str = "") -> None:
        """Press the last element in sight with these words, once it rests."""
        where = f"{_PLACE}({json.dumps(selector)}, {json.dumps(words)})"
        seen: list[Any] = [None]

        def rests() -> bool:
            seen.append(self._look(where))
            return seen[-1] is not None and seen[-1] == seen[-2]

        eventually(rests, what=f"{selector} {words} in sight")
        self.tab.click(*seen[-1])

    def send(self, text: str) -> None:
        """Write a prompt and press Enter."""
        self.press("#prompt")
        self.tab.write(f"{text}\n")

    def answered(self, count: int) -> None:
        """Wait until so many prompts are shown, every one of them answered."""
        labels = " ".join(["Answered"] * count)
        self.wait(f"{DELIVERIES}.join(' ') === '{labels}'")

    def last_answer(self) -> str:
        """Return the text of the last answer."""
        shown = "[...document.querySelectorAll('.answer .prose')].at(-1)?.innerText ?? ''"
        return str(self.tab.evaluate(shown))

    @property
    def session(self) -> str:
        """The id of the chat that the address names."""
        return str(self.wait("location.pathname.match(/^\\/s\\/(.+)/)?.[1]"))

    def overflow_px(self) -> int:
        """Return how far the page can be scrolled sideways."""
        return int(self.tab.evaluate(_OVERFLOW_PX))

    def raised(self) -> list[str]:
        """Return the errors of scripts since the last call."""
        self._keep_errors()
        found, self.errors = self.errors, []
        return found

    def _look(self, expression: str) -> Any:
        """Return the value of an expression, None while one document takes another's place."""
        try:
            return self.tab.evaluate(expression)
        except TabFailed:
            return None

    def _keep_errors(self) -> None:
        self.errors += self.tab.evaluate("(window.labErrors ?? []).splice(0)")
