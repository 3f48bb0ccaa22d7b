"""Messages between processes: hints, from a place where any program may write.

A message is verified before it is heard, and nothing that it says is believed: it names a place to
look at. The layer itself is Redis, read by chatproject.layer.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, Generic, TypeVar

from channels.layers import get_channel_layer
from pydantic import TypeAdapter, ValidationError

from sessions.core import metrics
from sessions.core.conf import chat

logger = logging.getLogger(__name__)

T = TypeVar("T")

# An attacker chooses how many messages there are: the log gets one line in this time.
WARN_EVERY_S: Final = 60.0
_next_warning = 0.0


def refused(why: str) -> None:
    """Count a message that is not heard."""
    global _next_warning
    metrics.LAYER_REFUSED.labels(why=why).inc()
    if time.monotonic() >= _next_warning:
        _next_warning = time.monotonic() + WARN_EVERY_S
        logger.warning(
            "a message on the layer is no message of this installation:"
            " LAYER_KEY must be the same in every process",
            extra={"why": why},
        )


class Mailbox(Generic[T]):
    """A channel of this process on the layer, and the groups that it has joined."""

    def __init__(self, name: str, shape: TypeAdapter[T]) -> None:
        self._name = name
        self._shape = shape
        self._channel = ""
        self._making_channel = asyncio.Lock()

    async def join(self, group: str) -> bool:
        """Hear the messages to a group, too; return whether that could be done."""
        return await self._is_done(_layer().group_add, group)

    async def leave(self, group: str) -> bool:
        """Hear the messages to a group no more; return whether that could be done."""
        return await self._is_done(_layer().group_discard, group)

    async def keep_joining(self, group: str) -> None:
        """Join a group, as soon as the layer is there."""
        while True:
            if await self.join(group):
                return
            await asyncio.sleep(chat.TAIL_INTERVAL_S)

    async def _is_done(self, change: Callable[[str, str], Awaitable[None]], group: str) -> bool:
        try:
            await change(group, await self._own_channel())
        except Exception as exc:  # noqa: BLE001 (any error of the layer's connection)
            logger.warning("a group of the layer is away", extra={"group": group, "why": str(exc)})
            return False
        return True

    async def hear(self) -> T:
        """Return the next message of the right shape."""
        while True:
            message = await self._received()
            try:
                return self._shape.validate_python(message)
            except ValidationError:
                refused("malformed")

    async def _received(self) -> Any:
        while True:
            try:
                return await _layer().receive(await self._own_channel())
            except Exception:
                logger.exception("could not receive from the layer")
                await asyncio.sleep(chat.TAIL_INTERVAL_S)

    async def _own_channel(self) -> str:
        async with self._making_channel:
            if not self._channel:
                self._channel = await _layer().new_channel(self._name)
            return self._channel


def _layer() -> Any:
    return get_channel_layer()
