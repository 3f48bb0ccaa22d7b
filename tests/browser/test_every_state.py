"""Every state of the page is clean for axe, fits its windows and can be pressed by a finger."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Browser, Page, ViewportSize

from tests.browser.chat import Chat, log_in
from tests.browser.walk import states

# The markup of others, by the beginning of a state's name: Swagger begins with a heading of the
# third rank and puts a button into a button; Django labels its search by a picture, and its
# breadcrumbs are links without a line.
FOREIGN: Final = {
    "/api/docs": {"heading-order", "nested-interactive"},
    "/admin": {"label-title-only", "link-in-text-block"},
}
EDGES: Final = Path(__file__).with_name("edges.js").read_text(encoding="utf-8")
# A change of the colours or of the size may begin transitions, those of Django's admin, too.
_SETTLE: Final = """async () => {
  const going = () => document.getAnimations().filter((each) => each instanceof CSSTransition);
  do {
    going().forEach((transition) => transition.finish());
    await new Promise(requestAnimationFrame);
  } while (going().length);
}"""
_RUN: Final = "async (options) => (await axe.run(options)).violations"
_IN_AN_ANSWER: Final = "(selector) => Boolean(document.querySelector(selector)?.closest('.prose'))"


def size(width: int, height: int) -> ViewportSize:
    return {"width": width, "height": height}


@dataclass(frozen=True, slots=True)
class Device:
    """A kind of device: the window of its walk, those that each state is resized to, axe's runs."""

    usual: ViewportSize
    others: tuple[ViewportSize, ...]
    # Rules by colour scheme.
    rules: dict[str, dict[str, Any]]
    options: dict[str, Any] = field(default_factory=dict)


# Of the second scheme and of the second device only that is looked at which differs there.
DESKTOP: Final = Device(
    size(1440, 900),
    (size(768, 1024), size(320, 256)),
    {"light": {}, "dark": {"runOnly": ["color-contrast"]}},
)
PHONE: Final = Device(
    size(390, 844),
    (size(360, 640), size(844, 390)),
    {"light": {"rules": {"color-contrast": {"enabled": False}}}},
    {"is_mobile": True, "has_touch": True},
)


async def edges(page: Page, state: str, device: Device) -> list[str]:
    """Return the parts that leave a window, or that are too small for a finger."""
    is_touched = bool(device.options) and not state.startswith(tuple(FOREIGN))
    found = []
    for window in (*device.others, device.usual):
        await page.set_viewport_size(window)
        await page.evaluate(_SETTLE)
        where = f"{state}, {window['width']} x {window['height']}"
        found += [f"{where}: {each}" for each in await page.evaluate(EDGES, is_touched)]
    return found


async def violations(page: Page, state: str, device: Device) -> list[str]:
    """Return the violations that axe finds."""
    found = []
    for scheme, rules in device.rules.items():
        await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        await page.evaluate(_SETTLE)
        if not await page.evaluate("'axe' in window"):
            await page.evaluate(AXE_SCRIPT)
        options = {"resultTypes": ["violations"], **rules}
        for each in await page.evaluate(_RUN, options):
            for node in each["nodes"]:
                if not await _is_of_others(page, state, each["id"], node["target"][-1]):
                    found.append(f"{state}, {scheme}: {each['id']}: {node['failureSummary']}")
                    found.append(f"    {node['html'][:200]}")
    return found


async def _is_of_others(page: Page, state: str, rule: str, selector: str) -> bool:
    """Tell whether a rule is broken by markup that is not ours.

    The headings of an answer are its agent's: it may begin with a small one.
    """
    if any(rule in rules for start, rules in FOREIGN.items() if state.startswith(start)):
        return True
    return rule == "heading-order" and bool(await page.evaluate(_IN_AN_ANSWER, selector))


# It looks at about sixty states in three windows each.
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("device", [DESKTOP, PHONE], ids=["desktop", "phone"])
async def test_every_state_is_accessible_and_fits_its_windows(
    browser: Browser, make_server, tmp_path: Path, device: Device
) -> None:
    (tmp_path / "home/shop/.git").mkdir(parents=True)
    server = make_server(environment={"HOME": str(tmp_path / "home")})
    server.create_user("owner", staff=True)
    context = await browser.new_context(
        viewport=device.usual, reduced_motion="reduce", **device.options
    )
    context.set_default_timeout(30_000)
    await log_in(context, server, "owner")
    page = await context.new_page()
    found = []
    async for state in states(Chat(page, server, "owner")):
        found += await edges(page, state, device)
        found += await violations(page, state, device)
    await context.close()
    assert found == [], "\n".join(found)
