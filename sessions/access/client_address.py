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
    """Return the address of the client that sent a request: see address_of."""
    peer = str(request.META.get("REMOTE_ADDR", ""))
    return address_of(peer, request.headers.get("X-Forwarded-For", ""))


def address_of(peer: str, forwarded: str) -> str:
    """Return the address of a client, as far as the proxies of PROXY_COUNT can be believed.

    forwarded: the value of X-Forwarded-For. A peer that is none of TRUSTED_PROXIES speaks for
    itself alone, with any header.
    """
    hops = [hop.strip() for hop in forwarded.split(",")]
    count = settings.PROXY_COUNT
    believed = hops[-count] if 0 < count <= len(hops) and _is_proxy(peer) else ""
    text = believed or peer
    # One client has one spelling: no port, no mapping of IPv4 into IPv6.
    return str(addresses.parse_with_port(text) or text)


def is_direct_loopback(request: HttpRequest) -> bool:
    """Return whether a request comes from this machine itself, not through a proxy on it."""
    forwarded = any(name in request.headers for name in _FORWARDED)
    return addresses.is_loopback(str(request.META.get("REMOTE_ADDR", ""))) and not forwarded


def _is_proxy(peer: str) -> bool:
    """Return whether a peer is a proxy of ours: without TRUSTED_PROXIES, any of a private network.

    A peer without an address has come by a socket in the file system.
    """
    address = addresses.parse(peer)
    if address is None:
        return not peer
    if not settings.TRUSTED_PROXIES:
        return not address.is_global
    return any(address in network for network in settings.TRUSTED_PROXIES)
