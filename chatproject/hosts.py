"""The host that a request asks for, checked before a stream bypasses Django."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.http.request import split_domain_port, validate_host


def is_host_allowed(scope: Mapping[str, Any]) -> bool:
    """Return whether ALLOWED_HOSTS has the host of an ASGI request, as Django reads it."""
    hosts = [value.decode("latin1") for name, value in scope["headers"] if name == b"host"]
    if len(hosts) != 1:
        return False
    domain, _ = split_domain_port(hosts[0])
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)
