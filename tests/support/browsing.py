"""Steps of a browser that an httpx client can do: log in by a link, read its cookies."""

from __future__ import annotations

import re
from collections.abc import Mapping

import httpx
from django.contrib.auth.models import User
from django.test import Client

from lab.rig.origin_key import HEADERS, KEY
from sessions.access.digest import digest


def cookie(cookies: Mapping[str, str], kind: str) -> str:
    """Return the value of the cookie "login" or "csrf", whose name ends with the installation."""
    [value] = [value for name, value in cookies.items() if f"backstay_{kind}_" in name]
    return value


def open_link(browser: httpx.Client, link: str) -> httpx.Response:
    """Open a one-time link and press its button; return the page behind it."""
    shown = browser.get(link)
    assert shown.status_code == httpx.codes.OK, shown.text
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', shown.text)
    assert token is not None
    browser.headers.update(HEADERS)
    return browser.post(link, data={"csrfmiddlewaretoken": token[1], "origin_key": KEY})


def logged_in(user: User) -> Client:
    """Return Django's test client in which a person is logged in, with an origin key."""
    client = Client()
    client.force_login(user)
    bind_key(client)
    return client


def bind_key(client: Client) -> dict[str, str]:
    """Give the log-in of Django's test client an origin key; return the header that carries it."""
    session = client.session
    session["origin_keys"] = [digest(KEY)]
    session.save()
    return HEADERS
