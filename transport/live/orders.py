"""Orders of the rows, brought to the streams of this process; other processes are poked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from channels.layers import get_channel_layer

from sessions.core.conf import chat, has_layer
from sessions.core.host import PROCESS
from transport.live.stream import Stream
from transport.rows import orders, pool, probes

logger = logging.getLogger(__name__)


def _group(process: str) -> str:
    return "transport.process." + "".join(c if c.isalnum() else "-" for c in process)


class Orders:
    """Carries orders and probes from the rows to the streams."""

    def __init__(self, streams: Mapping[UUID, Stream]) -> None:
        self._streams = streams

    async def take(self, connection_ids: Collection[UUID] | None = None) -> None:
        """Take the orders that wait for some streams of this process; None: for all of them."""
        for connection_id, session_id, request in await pool.run(orders.pending, connection_ids):
            if connection_id in self._streams:
                self._streams[connection_id].take_order(session_id, request)
        probed = connection_ids or await pool.run(probes.waiting)
        if not probed:
            return
        for connection_id, nonces in (await pool.run(probes.take, probed)).items():
            for nonce in nonces:
                if connection_id in self._streams:
                    self._streams[connection_id].probe(nonce)

    async def tail(self) -> None:
        """Find the orders of other processes whose poke was lost, or had no layer to go by."""
        if self._streams:
            await self.take()

    async def poke(self, connection_id: UUID, process: str) -> None:
        """Tell another process that an order waits in the rows of one of its streams."""
        if not has_layer() or process == PROCESS:
            return
        message = {"type": "transport.poke", "connection": str(connection_id)}
        try:
            await get_channel_layer().group_send(_group(process), message)
        except Exception:
            # The owner's own tail finds the order a little later.
            logger.warning("could not poke a process", exc_info=True)

    async def receive_pokes(self) -> None:
        """Take the orders that other processes tell of, until cancelled."""
        layer: Any = get_channel_layer()
        while True:
            try:
                channel = await layer.new_channel("transport")
                await layer.group_add(_group(PROCESS), channel)
                while True:
                    message = await layer.receive(channel)
                    await self.take([UUID(message["connection"])])
            except Exception:
                logger.exception("could not receive pokes")
                await asyncio.sleep(chat.TAIL_INTERVAL_S)
