"""Acknowledgements: the cursors that a client has applied, told to the server now and then."""

from __future__ import annotations

import asyncio
from typing import Final

from transport.client.commands import UNANSWERED, Command
from transport.client.cursors import Cursors

# Cursors are told at most this often.
ACK_S: Final = 3.0


class Acks:
    """The acknowledgements of one connection."""

    def __init__(self, command: Command, cursors: Cursors, connection_id: str) -> None:
        self._command = command
        self._cursors = cursors
        self._connection_id = connection_id
        self._told: dict[str, int] = {}

    async def run(self) -> None:
        """Tell cursors until the server no longer knows the connection.

        After the last event of a turn nothing more comes, so one that was lost is sent again: a
        receipt that says the same or more can be repeated.
        """
        while True:
            await asyncio.sleep(ACK_S)
            if not await self._tell():
                return

    async def _tell(self) -> bool:
        """Tell the cursors that are news; return False for an unknown connection."""
        news = {
            session_id: cursor
            for session_id, cursor in self._cursors.all().items()
            if cursor and self._told.get(session_id) != cursor
        }
        if not news:
            return True
        sessions = [{"sessionId": name, "cursor": cursor} for name, cursor in news.items()]
        try:
            answer = await self._command("ack", {"sessions": sessions}, self._connection_id)
        except UNANSWERED:
            return True
        if answer.code == "unknown_connection":
            return False
        if answer.is_done or answer.is_refused:
            self._told |= news
        return True
