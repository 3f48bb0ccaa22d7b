"""The address that a request comes from, through proxies or from this machine itself."""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.http import HttpRequest

from sessions.core import addresses

_FORWARDED: Final = (
    "Forwarded",
    "Via",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Real-IP",
)


def client_address(request: HttpRequest) -> str:
    """Return the address of the client, as far as the proxies of PROXY_COUNT can be believed."""
    hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",")]
    count = settings.PROXY_COUNT
    believed = hops[-count] if 0 < count <= len(hops) else ""
    text = believed or str(request.META.get("REMOTE_ADDR", ""))
    # One client has one spelling: no port, no mapping of IPv4 into IPv6.
    return str(addresses.parse_with_port(text) or text)


def is_direct_loopback(request: HttpRequest) -> bool:
    """Return whether a request comes from this machine itself, not through a proxy on it."""
    forwarded = any(name in request.headers for name in _FORWARDED)
    return addresses.is_loopback(str(request.META.get("REMOTE_ADDR", ""))) and not forwarded
