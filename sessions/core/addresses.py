"""Network addresses: read from text, compared as numbers, written into URLs."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
)
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# IPv4 addresses behind a translator: RFC 6052, RFC 8215.
_NAT64: Final = IPv6Network("64:ff9b::/96")
_LOCAL_NAT64: Final = IPv6Network("64:ff9b:1::/48")
# Where clouds tell a machine its keys, beside the link-local address: by IPv6, and Alibaba's.
_OF_CLOUDS: Final = frozenset({"fd00:ec2::254", "100.100.100.200"})


def bare(host: str) -> str:
    """Return a host without the brackets that an IPv6 address has in URLs."""
    return host.strip().removeprefix("[").removesuffix("]")


def parse(text: str) -> Address | None:
    """Return the address that text names, None for a host name or anything else.

    Takes an IPv6 address with or without its brackets. An IPv4 address that is mapped into IPv6,
    as a socket for both shows it, is the IPv4 address.
    """
    try:
        address = ip_address(bare(text))
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def parse_with_port(text: str) -> Address | None:
    """Return the address of `address`, `address:port` or `[address]:port`, else None."""
    head, _, tail = text.strip().rpartition(":")
    return parse(text) or (parse(head) if tail.isdigit() else None)


def destination(text: str) -> Address:
    """Return the address that a connection to an address ends at: IPv4 behind a translator.

    text: as the system resolves names, a zone included. Raises ValueError.
    """
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64 or address in _LOCAL_NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


def is_of_machine(address: Address) -> bool:
    """Return whether services of a machine and of its cloud are behind an address."""
    return (
        address.is_loopback
        or address.is_link_local
        or address.is_unspecified
        or address.is_multicast
        or str(address) in _OF_CLOUDS
    )


def network(text: str) -> str:
    """Return the network that counts as one client: an IPv4 address, an IPv6 network of /64.

    A provider gives one customer 2^64 addresses at least. Text that is no address stays as it is.
    """
    address = parse_with_port(text)
    if not isinstance(address, IPv6Address):
        return str(address or text)
    if address in _NAT64:
        return str(IPv4Address(int(address) & 0xFFFF_FFFF))
    return str(IPv6Network((int(address) >> 64 << 64, 64)))


def is_loopback(text: str) -> bool:
    """Return whether text is an address of this machine's own loopback."""
    address = parse(text)
    return address is not None and address.is_loopback


def is_own_machine(host: str) -> bool:
    """Return whether a browser that asks for a host means the machine that it runs on itself."""
    name = bare(host).rstrip(".").lower()
    address = parse(name)
    if address is None:
        return name == "localhost" or name.endswith(".localhost")
    return address.is_loopback or address.is_unspecified


def is_wildcard(host: str) -> bool:
    """Return whether a server that listens on host takes connections to every address."""
    address = parse(host)
    return not host.strip() or (address is not None and address.is_unspecified)


def url_of(host: str, port: int, *, instead_of_wildcard: str) -> str:
    """Return the address of a server, such as http://[fd00::1]:8000, without a slash behind it."""
    name = instead_of_wildcard if is_wildcard(host) else host
    return f"http://{_in_url(name)}:{port}"


def names_in_requests(hosts: Iterable[str]) -> list[str]:
    """Return hosts as the Host header of a request spells them; names stay as they are."""
    return [spelled for host in hosts for spelled in _spellings(host)]


def _in_url(host: str) -> str:
    name, _, zone = bare(host).partition("%")
    if ":" not in name:
        return bare(host)
    # RFC 6874: the zone of a link-local address comes behind an escaped percent sign.
    return f"{_spellings(name)[0].removesuffix(']')}{f'%25{zone}' if zone else ''}]"


def _spellings(host: str) -> list[str]:
    name = bare(host).partition("%")[0]
    if parse(name) is None or ":" not in name:
        return [host]
    address = IPv6Address(name)
    if address.ipv4_mapped is None:
        return [f"[{address.compressed}]"]
    # Browsers write the last 32 bits as hexadecimal digits, other programs as an IPv4 address.
    high, low = divmod(int(address.ipv4_mapped), 1 << 16)
    return [f"[::ffff:{high:x}:{low:x}]", f"[::ffff:{address.ipv4_mapped}]"]
