"""Notices of one stream: the frames that carry no event of a session."""

from __future__ import annotations

from collections import deque
from typing import Final
from uuid import UUID

from sessions.personal.shapes import Personal
from transport import frames
from transport.rows.probes import MAX_PROBES

# Changes of so many chats wait for a reader; each has a short draft at most.
MAX_PERSONAL: Final = 64


class Notices:
    """The notices that wait to be written."""

    def __init__(self) -> None:
        self._rejected: list[str] = []
        self._left: list[UUID] = []
        self._probes: deque[str] = deque(maxlen=MAX_PROBES)
        self._personal: dict[str, Personal] = {}
        self.ping_is_due = False

    def reject(self, name: str) -> None:
        """Tell that a session may not be watched here."""
        self._rejected.append(name)

    def unwatched(self, session_id: UUID) -> None:
        """Tell that an order has ended a watch.

        A client that still wants it watches it again: the order may be an old one, come late.
        """
        self._left.append(session_id)

    def probe(self, nonce: str) -> None:
        """Send a nonce back."""
        self._probes.append(nonce)

    def personal(self, news: Personal) -> None:
        """Tell a change of the person's own; of one chat the last one counts."""
        self._personal.pop(news["sessionId"], None)
        self._personal[news["sessionId"]] = news
        if len(self._personal) > MAX_PERSONAL:
            del self._personal[next(iter(self._personal))]

    def take(self) -> list[bytes]:
        """Return the frames that wait, but for a ping, and forget them."""
        waiting = [frames.rejected(name) for name in self._rejected]
        waiting += [frames.unlogged("unwatched", sessionId=str(left)) for left in self._left]
        waiting += [frames.unlogged("probe", nonce=nonce) for nonce in self._probes]
        waiting += [
            frames.unlogged("personal_changed", personal=news) for news in self._personal.values()
        ]
        self._personal.clear()
        self._rejected.clear()
        self._left.clear()
        self._probes.clear()
        return waiting
