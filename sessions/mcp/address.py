"""The address of an MCP server, resolved once: the trial connects to that and to no other."""

from __future__ import annotations

import asyncio
import socket
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from sessions.core import addresses
from sessions.core.hardening.ports import own_ports
from sessions.mcp.refusals import ServerFailed

_PORTS: Final = {"http": 80, "https": 443}


async def resolved(url: str, *, is_staff: bool) -> tuple[str, str, str]:
    """Return the URL by its IP address, the Host header, and the name for TLS.

    Raises ServerFailed for a name without an address, for the server's own ports, and within its
    network for all but staff.
    """
    parts = urlsplit(url)
    name, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except OSError as exc:
        raise ServerFailed("Its name has no address.") from exc
    place = str(found[0][4][0])
    _check(addresses.destination(place), port, is_staff=is_staff)
    host = f"[{place}]" if ":" in place else place
    target = urlunsplit((parts.scheme, f"{host}:{port}", parts.path, parts.query, ""))
    return target, parts.netloc, name


def _check(address: addresses.Address, port: int, *, is_staff: bool) -> None:
    is_beside_us = address.is_loopback and port not in own_ports()
    if addresses.is_of_machine(address) and not is_beside_us:
        raise ServerFailed("This address is closed to MCP servers.")
    if not is_staff and not address.is_global:
        raise ServerFailed("This address is inside the server's network: staff alone may add it.")
