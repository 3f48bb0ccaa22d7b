"""Flow control: output waits while the transport is full.

Stock daphne hands every chunk to the transport and never waits: a client that stops reading
makes the server's buffer grow without bound.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any, Final

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer  # type: ignore[import-untyped]  # has none

# So much of an answer is handed to the transport at once; the rest waits until it has room.
PART_BYTES: Final = 64 * 1024


@implementer(IPushProducer)
class WriteGate:
    """Open while the transport takes data; the transport closes and opens it."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()

    def pauseProducing(self) -> None:  # noqa: N802 (Twisted's name)
        """Close the gate: the transport's buffer is full."""
        self._open.clear()

    def resumeProducing(self) -> None:  # noqa: N802 (Twisted's name)
        """Open the gate: the buffer has drained."""
        self._open.set()

    def stopProducing(self) -> None:  # noqa: N802 (Twisted's name)
        """Open the gate permanently: the client is gone."""
        self._open.set()

    @property
    def is_open(self) -> bool:
        """Whether the transport takes data."""
        return self._open.is_set()

    async def wait(self) -> None:
        """Return when the transport takes data again, or the connection is gone."""
        await self._open.wait()


def parts_of(message: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield a message, or a long body as several of PART_BYTES."""
    body = message.get("body", b"")
    if len(body) <= PART_BYTES:
        yield message
        return
    view = memoryview(body)
    for begin in range(0, len(body), PART_BYTES):
        is_last = begin + PART_BYTES >= len(body)
        more = bool(message.get("more_body")) or not is_last
        part = bytes(view[begin : begin + PART_BYTES])
        yield {"type": message["type"], "body": part, "more_body": more}
