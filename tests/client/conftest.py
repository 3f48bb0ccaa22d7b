"""Fixtures of the tests against a real server."""

from tests.support.server import make_server, server

__all__ = ["make_server", "server"]
