"""The environment reader: types, limits, and the secret key."""

import stat
import threading

import pytest
from django.core.exceptions import ImproperlyConfigured

from chatproject.env import Env, read_or_create_key


@pytest.mark.parametrize(
    ("value", "expected"),
    [("1", True), ("TRUE", True), (" yes ", True), ("on", True), ("0", False), ("", False)],
)
def test_flag_understands_the_usual_words(value: str, expected: bool) -> None:
    assert Env({"X": value}).flag("X", default=not expected) is expected


def test_flag_that_is_unset_has_its_default() -> None:
    assert Env({}).flag("X", default=True) is True


def test_flag_refuses_another_word_and_names_the_variable() -> None:
    with pytest.raises(ImproperlyConfigured, match="DEBUG='maybe'"):
        Env({"DEBUG": "maybe"}).flag("DEBUG")


@pytest.mark.parametrize("value", ["http", "8000.5", "-1", "65536"])
def test_number_outside_its_limits_names_the_variable(value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="PORT"):
        Env({"PORT": value}).number("PORT", 8000, high=65535)


def test_names_are_split_at_commas_and_stripped() -> None:
    assert Env({"X": " a, b ,,c"}).names("X") == ["a", "b", "c"]


def test_variables_with_a_prefix_come_raw_and_without_it() -> None:
    env = Env({"CHAT_SYNC_INTERVAL_S": "5", "CHAT_": "x", "PATH": "/bin"})
    assert env.with_prefix("CHAT_") == {"SYNC_INTERVAL_S": "5"}


def test_secret_key_is_made_once_and_only_its_owner_can_read_it(tmp_path) -> None:
    path = tmp_path / "data" / "secret_key"
    first = read_or_create_key(path)
    assert read_or_create_key(path) == first
    assert len(first) >= 50
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["secret_key"]


def test_processes_that_start_at_once_agree_on_one_secret_key(tmp_path) -> None:
    path = tmp_path / "secret_key"
    barrier = threading.Barrier(8)
    keys: set[str] = set()

    def start() -> None:
        barrier.wait()
        keys.add(read_or_create_key(path))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 1


def test_a_truncated_secret_key_is_refused(tmp_path) -> None:
    path = tmp_path / "secret_key"
    path.write_text("short")
    with pytest.raises(ImproperlyConfigured, match="no usable key"):
        read_or_create_key(path)


def test_networks_are_read_in_every_spelling() -> None:
    env = Env({"N": "10.0.0.5, 192.168.0.7/24 ,[fd00::1],2001:db8::/32", "BAD": "10.0.0.0/99"})
    expected = ["10.0.0.5/32", "192.168.0.0/24", "fd00::1/128", "2001:db8::/32"]
    assert [str(network) for network in env.networks("N")] == expected
    assert env.networks("MISSING") == []
    with pytest.raises(ImproperlyConfigured, match="BAD"):
        env.networks("BAD")
