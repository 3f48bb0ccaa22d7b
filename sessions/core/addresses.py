"""Network addresses: read from text, compared as numbers, written into URLs."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address

Address = IPv4Address | IPv6Address


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


def is_loopback(text: str) -> bool:
    """Return whether text is an address of this machine's own loopback."""
    address = parse(text)
    return address is not None and address.is_loopback


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
