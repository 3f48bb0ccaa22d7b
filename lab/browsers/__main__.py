"""The first hour in each browser: every step is ok, or the difference is printed.

python -m lab.browsers                    Chromium, Firefox and WebKitGTK
python -m lab.browsers firefox webkit     some of them
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.browsers import chromium, firefox, webkit
from lab.browsers.line import Line
from lab.browsers.page import Page
from lab.browsers.steps import STEPS, Difference, Visit
from lab.browsers.tab import Tab, TabFailed
from lab.rig.folders import temporary_folder
from lab.rig.programs import chromium as chromium_program
from lab.rig.programs import firefox as firefox_program
from lab.rig.programs import webkit as webkit_program
from lab.rig.programs.install import Need
from lab.rig.servers import Server


@dataclass(frozen=True)
class Browser:
    """A browser: its programs, and a way to open a tab of it with files in a folder."""

    need: Need
    opened: Callable[[Path], AbstractContextManager[Tab]]


BROWSERS: Final = {
    "chromium": Browser(
        Need(chromium_program.find, chromium_program.install, chromium_program.HOW_TO_INSTALL),
        chromium.opened,
    ),
    "firefox": Browser(
        Need(firefox_program.find, firefox_program.install, firefox_program.HOW_TO_INSTALL),
        firefox.opened,
    ),
    "webkit": Browser(
        Need(webkit_program.find, webkit_program.install, webkit_program.HOW_TO_INSTALL),
        webkit.opened,
    ),
}


def main() -> int:
    """Walk the first hour in the chosen browsers; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m lab.browsers", description=__doc__)
    parser.add_argument("browsers", nargs="*", metavar="BROWSER", help=" ".join(BROWSERS))
    parser.add_argument("--pictures", type=Path, help="a folder for a PNG after each step")
    options = parser.parse_args()
    unknown = set(options.browsers) - set(BROWSERS)
    if unknown:
        parser.error(f"no browser {', '.join(sorted(unknown))}")
    chosen = options.browsers or list(BROWSERS)
    missing = [
        need.how_to for need in (BROWSERS[name].need for name in chosen) if not _is_there(need)
    ]
    for how_to in missing:
        print(f"The walk needs {how_to}.", file=sys.stderr)
    if missing:
        return 1
    failed = sum(walk(BROWSERS[name], options.pictures) for name in chosen)
    print(f"{failed} steps differ." if failed else "No step differs.")
    return 1 if failed else 0


def walk(browser: Browser, pictures: Path | None) -> int:
    """Walk the steps in one browser at a new server; return how many failed."""
    failed = 0
    with visiting(browser) as visit:
        version = visit.page.tab.version
        for number, (name, step) in enumerate(STEPS.items(), 1):
            difference = _difference(step, visit)
            print(f"{version}: {name}: {difference or 'ok'}", flush=True)
            failed += bool(difference)
            if pictures is not None:
                pictures.mkdir(parents=True, exist_ok=True)
                visit.page.tab.picture(pictures / f"{version.split()[0].lower()}-{number}.png")
    return failed


@contextmanager
def visiting(browser: Browser) -> Iterator[Visit]:
    """Run a server, a line and a browser for as long as the block runs."""
    with temporary_folder() as folder:
        server = Server(folder)
        line = Line(server.port)
        try:
            server.start()
            with browser.opened(folder) as tab:
                yield Visit(Page(tab, line.url), server, line)
        finally:
            line.cut()
            server.close()


def _difference(step: Callable[[Visit], None], visit: Visit) -> str:
    """Return what a step has found, empty when it went well."""
    try:
        step(visit)
    except (Difference, TabFailed, TimeoutError) as exc:
        return str(exc) or repr(exc)
    return "; ".join(visit.page.raised())


def _is_there(need: Need) -> bool:
    return bool(need.find() or need.install())


if __name__ == "__main__":
    sys.exit(main())
