"""The Origin header: whether the page that sent a request is one of this site."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest


def is_same_origin(request: HttpRequest) -> bool:
    """Return whether a request names an origin of this site, or one of CSRF_TRUSTED_ORIGINS."""
    origin = request.headers.get("Origin", "")
    if origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    try:
        parsed = urlsplit(origin)
    except ValueError:  # such as "http://["
        return False
    return parsed.scheme in {"http", "https"} and parsed.netloc == request.get_host()
