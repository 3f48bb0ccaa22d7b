"""Open connections and their owners: an address until a user is known, then the user.

Idle connections and half requests cost a descriptor and memory. Behind a proxy they are the
proxy's, which has limits of its own; there the door counts the requests of an address.
"""

from __future__ import annotations

import resource
from collections.abc import Hashable
from typing import Final

from django.conf import settings

from sessions.core import addresses
from sessions.core.conf import chat
from sessions.limits.at_once import AtOnce
from transport.errors import RETRY_AFTER_S, TooManyConnections

# For databases, agents and /proc, so that an agent can be stopped however many clients come.
RESERVED_FILES: Final = 64

connections: Final = AtOnce(lambda: chat.MAX_CONNECTIONS_PER_ADDRESS)


class Guest:
    """The owner of one connection."""

    def __init__(self) -> None:
        self._owner: Hashable | None = None

    def enter(self, address: str, descriptor: int) -> bool:
        """Return whether a new connection may stay."""
        if descriptor >= _most_files() - RESERVED_FILES:
            return False
        if settings.PROXY_COUNT or not address:
            return True
        return self._belongs_to(("address", addresses.network(address)))

    def becomes_known(self, user_id: int) -> None:
        """Let the connection belong to a user. Raises TooManyConnections."""
        if self._owner is not None and not self._belongs_to(("user", user_id)):
            raise TooManyConnections(
                limit=chat.MAX_CONNECTIONS_PER_ADDRESS, retryAfter=RETRY_AFTER_S
            )

    def leave(self) -> None:
        """Note that the connection is gone."""
        if self._owner is not None:
            connections.end(self._owner)
            self._owner = None

    def _belongs_to(self, owner: Hashable) -> bool:
        if owner == self._owner:
            return True
        if not connections.begin(owner):
            return False
        self.leave()
        self._owner = owner
        return True


def _most_files() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
