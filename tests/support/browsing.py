"""Steps of a browser that an httpx client can do: log in by a link, read its cookies."""

from __future__ import annotations

import re
from collections.abc import Mapping

import httpx


def cookie(cookies: Mapping[str, str], kind: str) -> str:
    """Return the value of the cookie "login" or "csrf", whose name ends with the installation."""
    [value] = [value for name, value in cookies.items() if name.startswith(f"backstay_{kind}_")]
    return value


def open_link(browser: httpx.Client, link: str) -> httpx.Response:
    """Open a one-time link and press its button; return the page behind it."""
    shown = browser.get(link)
    assert shown.status_code == httpx.codes.OK, shown.text
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', shown.text)
    assert token is not None
    return browser.post(link, data={"csrfmiddlewaretoken": token[1]})
