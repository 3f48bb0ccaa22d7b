"""The Channels layer over Redis, with bounds: it reads a place where any program may write.

Messages are encrypted with LAYER_KEY. One that this installation did not write is refused before
anything reads it.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from channels_redis.pubsub import RedisPubSubChannelLayer, RedisPubSubLoopLayer
from channels_redis.utils import _wrap_close

from sessions.core.layer.mailbox import refused

# A hint is some hundred bytes long, encrypted.
MAX_MESSAGE_BYTES: Final = 4096
# Hints that wait to be heard. Beyond them the tail finds the events.
MAX_WAITING: Final = 2000


class Layer(RedisPubSubChannelLayer):  # type: ignore[misc]  # as the package comes
    """The layer of all event loops."""

    def _get_layer(self) -> LoopLayer:
        loop = asyncio.get_running_loop()
        layer: LoopLayer | None = self._layers.get(loop)
        if layer is None:
            layer = LoopLayer(*self._args, **self._kwargs, channel_layer=self)
            self._layers[loop] = layer
            _wrap_close(self, loop)
        return layer

    def deserialize(self, message: bytes) -> Any:
        """Return a message, None for one that was not written with the key."""
        try:
            return super().deserialize(message)
        except Exception:  # noqa: BLE001 (any error of a forged message's reader)
            refused("unreadable")
            return None


class LoopLayer(RedisPubSubLoopLayer):  # type: ignore[misc]  # as the package comes
    """The layer of one event loop."""

    async def receive(self, channel: str) -> Any:
        """Return the next message that this installation has written."""
        while True:
            # A queue that is never empty never gives the loop to others.
            await asyncio.sleep(0)
            message = await super().receive(channel)
            if message is not None:
                return message

    async def _subscribe_to_channel(self, channel: str) -> None:
        self.channels[channel] = _Waiting(MAX_WAITING)
        try:
            await self._get_shard(channel).subscribe(channel)
        except BaseException:
            # Redis is away: the next try makes another.
            del self.channels[channel]
            raise


class _Waiting(asyncio.Queue[bytes]):
    """The messages of one channel that wait to be heard, bounded."""

    def put_nowait(self, item: bytes) -> None:
        if len(item) > MAX_MESSAGE_BYTES:
            refused("too_large")
        elif self.full():
            refused("too_many")
        else:
            super().put_nowait(item)
