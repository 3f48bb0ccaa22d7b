"""Addresses of repositories: https, ssh and git alone, without a password, at open hosts."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from sessions.core import addresses
from sessions.core.conf import chat
from sessions.core.errors import CloneRefused

MAX_CHARS: Final = 2_000
PORTS: Final = {"https": 443, "ssh": 22, "git": 9418}
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")
_USER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
# user@host:path, as git hosts show it.
_SHORT: Final = re.compile(r"([^/@:]+)@([^/@:]+):(?!/)(.+)")


@dataclass(frozen=True, slots=True)
class Address:
    """A checked address. name: of the folder that a clone has by itself."""

    url: str
    scheme: str
    host: str
    port: int
    name: str


def checked(asked: str) -> Address:
    """Return the address of a repository. Raises CloneRefused, with a sentence for a person."""
    if not asked.isprintable() or not asked.isascii() or " " in asked or len(asked) > MAX_CHARS:
        raise CloneRefused("The address has signs that no address of a repository has.")
    short = _SHORT.fullmatch(asked)
    url = f"ssh://{short[1]}@{short[2]}/{short[3]}" if short else asked
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as exc:
        raise CloneRefused("This is no address of a repository.") from exc
    if parts.scheme not in PORTS:
        raise CloneRefused("The address must begin with https://, ssh:// or git://.")
    if parts.password is not None or (parts.username is not None and parts.scheme != "ssh"):
        raise CloneRefused("The address must hold no password and no token: none is stored here.")
    if parts.username is not None and not _USER.fullmatch(parts.username):
        raise CloneRefused("The name before the @ is no user of a git server.")
    host = parts.hostname or ""
    if not _HOST.fullmatch(host) and not _is_ipv6(host):
        raise CloneRefused("The address names no server.")
    path = parts.path
    if not path.strip("/") or path.startswith("/-") or parts.query or parts.fragment:
        raise CloneRefused("The address names no repository.")
    name = path.rstrip("/").rpartition("/")[2].removesuffix(".git")
    return Address(url, parts.scheme, host, port or PORTS[parts.scheme], name)


def resolved(address: Address) -> str:
    """Return an IP address of the host, all of which may be asked. Raises CloneRefused. Blocking.

    Loopback and link-local ones are services of this machine and of its cloud.
    """
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        raise CloneRefused(f"There is no server {address.host}.") from exc
    places = [str(sockaddr[0]).partition("%")[0] for *_, sockaddr in found]
    if not places or any(_is_closed(place) for place in places):
        raise CloneRefused("This server cannot be cloned from: its address belongs to the machine.")
    return places[0]


def _is_closed(place: str) -> bool:
    end = addresses.destination(place)
    return addresses.is_of_machine(end) and not (end.is_loopback and chat.CLONE_LOOPBACK)


def _is_ipv6(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True
