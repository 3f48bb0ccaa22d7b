"""Lines of a JSON pipe, cut and checked under a bound.

An agent may write anything into its pipe.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from typing import Any

from sessions.agents.acp.pipe.noise import Flood, Noise, without_noise

# One chunk is worked off in one go: a hundred small messages, a millisecond.
CHUNK_BYTES = 16 * 1024
# A message may carry a file or an image; more than this is a runaway agent.
MAX_LINE_BYTES = 16 * 1024 * 1024
SHOWN_CHARS = 80

Json = dict[str, Any]


class BrokenProtocol(Exception):
    """The agent's stdout is not its protocol; the text describes it."""


def _ignore(_what: str) -> None:
    """Take note of nothing."""


class MessageReader:
    """JSON objects of an agent's stdout, in order, and as they came: not clean.

    lost: called with a description of each line that was to be a message and is none.
    """

    def __init__(
        self,
        stream: asyncio.StreamReader,
        *,
        max_line_bytes: int = MAX_LINE_BYTES,
        noise: Noise | None = None,
        lost: Callable[[str], None] = _ignore,
    ) -> None:
        self._stream = stream
        self._max_line_bytes = max_line_bytes
        self._noise = noise or Noise()
        self._lost = lost
        self._lines: deque[bytes] = deque()
        self._partial: list[bytes] = []
        self._partial_bytes = 0
        self.is_waiting = False  # for bytes of the agent, as against for room in the mailbox

    async def next(self) -> Json | None:
        """Return the next message, None at the end of the stream. Raises BrokenProtocol."""
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

    def _parse(self, line: bytes) -> Json | None:
        if not line.strip():
            return None
        message = _object(line)
        if message is None and b"{" in line:
            message = _object(without_noise(line))
        if message is None:
            self._forgive(line)
        return message

    def _forgive(self, line: bytes) -> None:
        try:
            self._noise.forgive(line)
        except Flood as exc:
            raise BrokenProtocol(str(exc)) from exc
        if b'{"' in line:
            beginning = line[:SHOWN_CHARS].decode("utf-8", "replace")
            self._lost(f"a line that is not JSON: {beginning}")


def _object(line: bytes) -> Json | None:
    """Return the object that a line is, None when it is none."""
    try:
        value = json.loads(_decoded(line))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _decoded(line: bytes) -> str:
    """Return a line as text. Half characters stay halves, whatever else is no UTF-8 is U+FFFD."""
    try:
        return line.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return line.decode("utf-8", "replace")
