"""The request of a route that wants a log-in."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest


class Authorised(HttpRequest):
    """A request that sessions.access.auth.signed_in has let through.

    auth: its user; source: the credential that it came with.
    """

    auth: Any
    source: Any
