"""The Origin header: whether the page that sent a request is one of this site."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest

from sessions.core.errors import OriginRefused

_NEIGHBOURS: Final = frozenset({"same-site", "cross-site"})


def refuse_neighbours(sec_fetch_site: str) -> None:
    """Raise OriginRefused for a browser's request from another port or name of this host.

    Browsers send cookies with it, because a site is more than an origin.
    """
    if sec_fetch_site in _NEIGHBOURS:
        raise OriginRefused("This server accepts no requests from pages of other addresses.")


def is_same_origin(request: HttpRequest) -> bool:
    """Return whether a request names an origin of this site, or one of CSRF_TRUSTED_ORIGINS."""
    return is_origin_of_site(request, request.headers.get("Origin", ""))


def is_origin_of_site(request: HttpRequest, origin: str) -> bool:
    """Return whether an origin is the one that a request was sent to, or is trusted like it."""
    if origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    try:
        parsed = urlsplit(origin)
    except ValueError:  # such as "http://["
        return False
    # A server that a proxy does not tell about TLS cannot know the scheme of its pages.
    schemes = {"https"} if request.is_secure() else {"http", "https"}
    return parsed.scheme in schemes and parsed.netloc == request.get_host()
