"""WebKitGTK, driven by its WebDriver on a display of its own."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from lab.browsers import actions
from lab.browsers.tab import DESKTOP, PATIENCE_S, TabFailed
from lab.rig.ports import Port
from lab.rig.processes import NotServing, Process, clean_environment, probe_http, serving
from lab.rig.programs import webkit
from lab.rig.waiting import eventually

SCREEN: Final = "1600x1200x24"
NUMBER: Final = re.compile(r"^(\d+)$", re.MULTILINE)
# The small browser's toolbar would keep its window from the width of a phone.
NARROW: Final = "* { min-width: 0; min-height: 0; padding: 0; margin: 0; font-size: 1px; }\n"
_SIZES: Final = "[innerWidth, innerHeight, outerWidth, outerHeight]"


class WebKitTab:
    """A tab of WebKitGTK's own small browser."""

    def __init__(self, driver: httpx.Client) -> None:
        self._driver = driver
        self._path = ""
        options = {"binary": str(webkit.find_browser()), "args": ["--automation"]}
        wanted = {"alwaysMatch": {"webkitgtk:browserOptions": options}}
        made = self._call("POST", "/session", capabilities=wanted)
        self._path = f"/session/{made['sessionId']}"
        self.version = f"WebKitGTK {made['capabilities']['browserVersion']}"

    def open(self, address: str) -> None:
        """Open an address."""
        self._call("POST", "/url", url=address)

    def reload(self) -> None:
        """Load the document again."""
        self._call("POST", "/refresh")

    def evaluate(self, expression: str) -> Any:
        """Return the JSON value of an expression."""
        return self._call("POST", "/execute/sync", script=f"return ({expression})", args=[])

    def click(self, x: int, y: int) -> None:
        """Press the mouse at a place."""
        self._call("POST", "/actions", actions=actions.click(x, y))

    def write(self, text: str) -> None:
        """Press the key of each character."""
        self._call("POST", "/actions", actions=actions.write(text))

    def resize(self, width: int, height: int) -> None:
        """Give the viewport a size: that of the window without its bars."""
        inner_width, inner_height, outer_width, outer_height = self.evaluate(_SIZES)
        bars = (outer_width - inner_width, outer_height - inner_height)
        self._call("POST", "/window/rect", x=0, y=0, width=width + bars[0], height=height + bars[1])
        wanted = [width, height]
        eventually(lambda: self.evaluate(_SIZES)[:2] == wanted, what=f"a viewport of {wanted}")

    def picture(self, path: Path) -> None:
        """Write a PNG of the viewport."""
        path.write_bytes(base64.b64decode(self._call("GET", "/screenshot")))

    def close(self) -> None:
        """End the browser."""
        self._call("DELETE", "")

    def _call(self, method: str, path: str, **given: Any) -> Any:
        body = given if method == "POST" else None
        answer = self._driver.request(method, self._path + path, json=body)
        value = answer.json()["value"]
        if answer.is_error:
            raise TabFailed(f"{path}: {value['error']}: {value['message']}")
        return value


@contextmanager
def opened(folder: Path) -> Iterator[WebKitTab]:
    """Run the browser with one tab for as long as the block runs; its files are in the folder."""
    settings = folder / "webkit" / "gtk-3.0"
    settings.mkdir(parents=True)
    (settings / "gtk.css").write_text(NARROW, encoding="utf-8")
    homes = {name: str(settings.parent) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")}
    with ExitStack() as stack:
        display = stack.enter_context(_display(folder))
        environment = clean_environment() | homes | {"DISPLAY": display, "GDK_BACKEND": "x11"}
        address = stack.enter_context(_driver(folder, environment))
        driver = stack.enter_context(httpx.Client(base_url=address, timeout=PATIENCE_S))
        tab = WebKitTab(driver)
        stack.callback(tab.close)
        tab.resize(*DESKTOP)
        yield tab


@contextmanager
def _display(folder: Path) -> Iterator[str]:
    """Run a display without a screen; give its name."""

    def probe() -> None:
        if not NUMBER.search(process.said()):
            raise NotServing("it has no display yet")

    command = [webkit.DISPLAY, "-displayfd", "1", "-screen", "0", SCREEN, "-nolisten", "tcp"]
    log = folder / "display.log"
    process = Process("Xvfb", command, environment=clean_environment(), log=log, probe=probe)
    with serving(process):
        number = NUMBER.search(process.said())
        assert number is not None
        yield f":{number[1]}"


@contextmanager
def _driver(folder: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """Run the driver; give its address."""
    port = Port()
    address = f"http://127.0.0.1:{port.number}"
    process = Process(
        "WebKitWebDriver",
        [str(webkit.find()), f"--port={port.number}"],
        environment=environment,
        log=folder / "webkit.log",
        probe=lambda: probe_http(f"{address}/status"),
    )
    try:
        with serving(process):
            yield address
    finally:
        port.release()
