"""Addresses: read from text, compared as numbers, written into URLs."""

import pytest

from sessions.core import addresses


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]", "::1"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("::ffff:127.0.0.1", "127.0.0.1"),
        ("::ffff:7f00:1", "127.0.0.1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("localhost", "None"),
        ("", "None"),
        ("[", "None"),
        ("1.2.3.4.5", "None"),
    ],
)
def test_an_address_is_read_in_every_spelling(text: str, expected: str) -> None:
    assert str(addresses.parse(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("203.0.113.5:41000", "203.0.113.5"),
        ("[2001:db8::5]:41000", "2001:db8::5"),
        ("2001:db8::5", "2001:db8::5"),
        ("unknown", "None"),
        ("chat.example.org:80", "None"),
    ],
)
def test_a_port_is_not_part_of_an_address(text: str, expected: str) -> None:
    assert str(addresses.parse_with_port(text)) == expected


@pytest.mark.parametrize("text", ["127.0.0.1", "127.9.9.9", "::1", "0:0::1", "::ffff:127.0.0.1"])
def test_loopback_is_recognised_in_every_spelling(text: str) -> None:
    assert addresses.is_loopback(text)


@pytest.mark.parametrize("text", ["", "0.0.0.0", "128.0.0.1", "::ffff:10.0.0.1", "fe80::1", "x"])
def test_another_address_is_not_loopback(text: str) -> None:
    assert not addresses.is_loopback(text)


@pytest.mark.parametrize("host", ["localhost", "LocalHost.", "a.localhost", "[::1]", "0.0.0.0"])
def test_a_browser_finds_its_own_machine_under_these(host: str) -> None:
    assert addresses.is_own_machine(host)


@pytest.mark.parametrize(
    "host", ["", "localhost.example.org", "notlocalhost", "192.168.1.7", "[fd00::1]"]
)
def test_a_browser_finds_other_machines_under_other_hosts(host: str) -> None:
    assert not addresses.is_own_machine(host)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("::1", "http://[::1]:80"),
        ("[fd00::1]", "http://[fd00::1]:80"),
        ("0:0::1", "http://[::1]:80"),
        ("fe80::1%eth0", "http://[fe80::1%25eth0]:80"),
        ("chat.example.org", "http://chat.example.org:80"),
        ("0.0.0.0", "http://here:80"),
        ("::", "http://here:80"),
        ("0:0::0", "http://here:80"),
        ("", "http://here:80"),
    ],
)
def test_a_url_names_a_host_in_the_way_of_urls(host: str, url: str) -> None:
    assert addresses.url_of(host, 80, instead_of_wildcard="here") == url


@pytest.mark.parametrize(
    ("host", "names"),
    [
        ("fd00::1", ["[fd00::1]"]),
        ("[FD00:0:0::1]", ["[fd00::1]"]),
        ("fe80::1%eth0", ["[fe80::1]"]),
        ("::ffff:10.0.0.7", ["[::ffff:a00:7]", "[::ffff:10.0.0.7]"]),
        ("10.0.0.7", ["10.0.0.7"]),
        (".example.org", [".example.org"]),
        ("*", ["*"]),
    ],
)
def test_hosts_are_spelled_as_requests_spell_them(host: str, names: list[str]) -> None:
    assert addresses.names_in_requests([host]) == names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("203.0.113.5", "203.0.113.5"),
        ("203.0.113.5:41000", "203.0.113.5"),
        ("::ffff:203.0.113.5", "203.0.113.5"),
        ("64:ff9b::203.0.113.5", "203.0.113.5"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::6]:41000", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::6", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", "unknown"),
        ("", ""),
    ],
)
def test_a_network_counts_as_one_client(text: str, expected: str) -> None:
    assert addresses.network(text) == expected
