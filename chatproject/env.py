"""Reads typed values from the environment; used by settings.py alone."""

import hashlib
import os
import re
import secrets
import tempfile
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from sessions.core import addresses
from sessions.core.addresses import Network

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off", ""})


class Env:
    """A mapping of environment variables, read by type; a bad value names its variable."""

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._values = os.environ if values is None else values

    def text(self, name: str, default: str = "") -> str:
        """Return str, stripped; default where the variable is unset or empty."""
        return self._values.get(name, "").strip() or default

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return bool from 1/true/yes/on or 0/false/no/off, in any case."""
        value = self._values.get(name)
        if value is None:
            return default
        if value.strip().lower() in _TRUE:
            return True
        if value.strip().lower() in _FALSE:
            return False
        raise ImproperlyConfigured(f"{name}={value!r} is neither true nor false")

    def number(self, name: str, default: int, *, low: int = 0, high: int | None = None) -> int:
        """Return int between low and high, both included."""
        raw = self.text(name)
        if not raw:
            return default
        try:
            value = int(raw)
        except ValueError as exc:
            raise ImproperlyConfigured(f"{name}={raw!r} is not a whole number") from exc
        if value < low or (high is not None and value > high):
            limits = f"at least {low}" if high is None else f"from {low} to {high}"
            raise ImproperlyConfigured(f"{name}={value} must be {limits}")
        return value

    def path(self, name: str) -> str:
        """Return a path of URLs with its first slash and without its last, or nothing."""
        value = self.text(name).strip("/")
        if value and not re.fullmatch(r"[A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*", value):
            raise ImproperlyConfigured(f"{name}={value!r} must be a path such as /chat")
        return f"/{value}" if value else ""

    def names(self, name: str) -> list[str]:
        """Return list[str] from a comma-separated value, empty parts dropped."""
        return [part.strip() for part in self.text(name).split(",") if part.strip()]

    def networks(self, name: str) -> list[Network]:
        """Return the networks and addresses of a comma-separated value."""
        try:
            return [ip_network(addresses.bare(part), strict=False) for part in self.names(name)]
        except ValueError as exc:
            raise ImproperlyConfigured(f"{name}: {exc}") from exc

    def with_prefix(self, prefix: str) -> dict[str, str]:
        """Return the variables that start with prefix, raw, without it."""
        return {
            name.removeprefix(prefix): value
            for name, value in self._values.items()
            if name.startswith(prefix) and name != prefix
        }


def read_or_create_key(path: Path) -> str:
    """Return the key kept in path; the first call makes it, readable by its owner alone.

    Several processes may start at once on an empty folder: all of them get the same key.
    """
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # mkstemp makes the file 0600; link fails where another process was first.
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(secrets.token_urlsafe(50))
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            Path(draft).unlink()
    key = path.read_text(encoding="ascii").strip()
    if len(key) < 32:  # shorter than any key written above
        raise ImproperlyConfigured(f"{path} holds no usable key; remove it to get a new one")
    return key


def installation_mark(secret_key: str) -> str:
    """Return eight characters that tell installations apart; all processes of one have the same."""
    return hashlib.sha256(f"installation of {secret_key}".encode()).hexdigest()[:8]
