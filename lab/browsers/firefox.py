"""Firefox, driven by WebDriver BiDi: the browser itself listens, no driver stands between."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from lab.browsers import actions
from lab.browsers.bidi import Bidi, connected
from lab.browsers.tab import DESKTOP, TabFailed
from lab.rig.processes import NotServing, Process, clean_environment, serving
from lab.rig.programs import firefox

LISTENS: Final = re.compile(r"WebDriver BiDi listening on (ws://\S+)")
FINE: Final = 2
HOVER: Final = 4
# The browser makes no request of its own: it would look up its maker's hosts. It has a mouse,
# as on a desktop: without a display it sees none.
PREFERENCES: Final = {
    "app.update.auto": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage": "about:blank",
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "ui.allPointerCapabilities": FINE | HOVER,
    "ui.primaryPointerCapabilities": FINE | HOVER,
}


class FirefoxTab:
    """A tab of Firefox."""

    def __init__(self, bidi: Bidi) -> None:
        told = bidi.call("session.new", capabilities={})["capabilities"]
        self.version = f"Firefox {told['browserVersion']}"
        self._bidi = bidi
        self._tab = {"context": bidi.call("browsingContext.create", type="tab")["context"]}

    def open(self, address: str) -> None:
        """Open an address."""
        self._bidi.call("browsingContext.navigate", url=address, wait="complete", **self._tab)

    def reload(self) -> None:
        """Load the document again."""
        self._bidi.call("browsingContext.reload", wait="complete", **self._tab)

    def evaluate(self, expression: str) -> Any:
        """Return the JSON value of an expression."""
        told = self._bidi.call(
            "script.evaluate",
            expression=f"JSON.stringify({expression}) ?? 'null'",
            target=self._tab,
            awaitPromise=True,
        )
        if told["type"] == "exception":
            raise TabFailed(told["exceptionDetails"]["text"])
        return json.loads(told["result"]["value"])

    def click(self, x: int, y: int) -> None:
        """Press the mouse at a place."""
        self._bidi.call("input.performActions", actions=actions.click(x, y), **self._tab)

    def write(self, text: str) -> None:
        """Press the key of each character."""
        self._bidi.call("input.performActions", actions=actions.write(text), **self._tab)

    def resize(self, width: int, height: int) -> None:
        """Give the viewport a size."""
        size = {"width": width, "height": height}
        self._bidi.call("browsingContext.setViewport", viewport=size, **self._tab)

    def picture(self, path: Path) -> None:
        """Write a PNG of the viewport."""
        told = self._bidi.call("browsingContext.captureScreenshot", **self._tab)
        path.write_bytes(base64.b64decode(told["data"]))


@contextmanager
def opened(folder: Path) -> Iterator[FirefoxTab]:
    """Run the browser with one tab for as long as the block runs; its profile is in the folder."""
    profile = folder / "firefox"
    profile.mkdir()
    lines = (f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in PREFERENCES.items())
    (profile / "user.js").write_text("".join(lines), encoding="utf-8")

    def probe() -> None:
        if not LISTENS.search(process.said()):
            raise NotServing("it does not listen yet")

    # Port 0: it takes a free one.
    options = ["--headless", "--no-remote", "--remote-debugging-port=0", "--profile", str(profile)]
    process = Process(
        "firefox",
        [str(firefox.find()), *options],
        environment=clean_environment() | {"HOME": str(folder)},
        log=folder / "firefox.log",
        probe=probe,
    )
    with serving(process):
        listens = LISTENS.search(process.said())
        assert listens is not None
        with connected(f"{listens[1]}/session") as bidi:
            tab = FirefoxTab(bidi)
            tab.resize(*DESKTOP)
            yield tab
