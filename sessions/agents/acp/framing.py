"""Lines of a JSON pipe, cut and checked under a bound.

What an agent writes is not trusted to be its protocol.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import Any

from sessions.core.clean import MAX_DEPTH, clean

# What is read at once is worked off in one go: a hundred small messages, a millisecond.
CHUNK_BYTES = 16 * 1024
# A message may carry a file or an image; more than this is a runaway agent.
MAX_LINE_BYTES = 16 * 1024 * 1024
# Some agents greet on stdout ("Loaded cached credentials."); a few such lines are harmless.
MAX_STRAY_LINES = 50
SHOWN_CHARS = 120


class BrokenProtocol(Exception):
    """The agent's stdout is not its protocol; the text says what was seen."""


class MessageReader:
    """JSON objects of an agent's stdout, in order, a few stray lines of text forgiven."""

    def __init__(
        self, stream: asyncio.StreamReader, *, max_line_bytes: int = MAX_LINE_BYTES
    ) -> None:
        self._stream = stream
        self._max_line_bytes = max_line_bytes
        self._lines: deque[bytes] = deque()
        self._partial: list[bytes] = []
        self._partial_bytes = 0
        self._stray = 0
        self.is_waiting = False  # for bytes of the agent, as against for room in the mailbox

    async def next(self) -> dict[str, Any] | None:
        """Return the next message, None at the end of the stream. Raises BrokenProtocol.

        What is nested too deeply for whoever takes it is cut.
        """
        while True:
            while self._lines:
                message = self._parse(self._lines.popleft())
                if message is not None:
                    return message
            if not await self._fill():
                return None

    async def _fill(self) -> bool:
        self.is_waiting = True
        try:
            # A full buffer makes read() return without a pause: give other sessions their turn.
            await asyncio.sleep(0)
            chunk = await self._stream.read(CHUNK_BYTES)
        finally:
            self.is_waiting = False
        if not chunk:
            return False
        first, *rest = chunk.split(b"\n")
        self._keep(first)
        for piece in rest:
            self._lines.append(b"".join(self._partial))
            self._partial, self._partial_bytes = [], 0
            self._keep(piece)
        return True

    def _keep(self, piece: bytes) -> None:
        self._partial_bytes += len(piece)
        if self._partial_bytes > self._max_line_bytes:
            raise BrokenProtocol(f"one line of more than {self._max_line_bytes} bytes")
        if piece:
            self._partial.append(piece)

    def _parse(self, line: bytes) -> dict[str, Any] | None:
        if not line.strip():
            return None
        try:
            message = json.loads(line)
        except (ValueError, RecursionError) as exc:
            self._forgive(line, exc)
            return None
        if isinstance(message, dict):
            return clean(message) if _may_be_deep(line) else message
        self._forgive(line, None)
        return None

    def _forgive(self, line: bytes, cause: Exception | None) -> None:
        """Count a line that is not a message.

        Raises BrokenProtocol for binary data and for too many.
        """
        self._stray += 1
        if not _is_text(line):
            raise BrokenProtocol("binary data where a message belongs") from cause
        if self._stray > MAX_STRAY_LINES:
            shown = line[:SHOWN_CHARS].decode("utf-8", "replace")
            raise BrokenProtocol(f"text where messages belong: {shown!r}") from cause


def _may_be_deep(line: bytes) -> bool:
    """Return whether a line has brackets enough to nest too deeply: the look that costs nothing."""
    return line.count(b"{") + line.count(b"[") > MAX_DEPTH


def _is_text(line: bytes) -> bool:
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return not any(ord(char) < 32 and char not in "\t\r\x1b" for char in text[:4096])
