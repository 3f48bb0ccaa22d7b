"""Orders of the rows, brought to the streams of this process; other processes are poked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping
from typing import Final, Literal
from uuid import UUID

from channels.layers import get_channel_layer
from pydantic import BaseModel, TypeAdapter

from sessions.core.conf import has_layer
from sessions.core.host import process_name
from sessions.core.layer.mailbox import Mailbox
from sessions.core.tasks import Gathering
from transport.live.stream import Stream
from transport.rows import orders, pool, probes

logger = logging.getLogger(__name__)


# The first poke is followed at once; a flood of them is one look at the rows in this time.
TAKE_PAUSE_S: Final = 0.01


class _Poke(BaseModel):
    """An order may wait in the rows of a stream."""

    type: Literal["transport.poke"]
    connection: UUID


_POKE: TypeAdapter[_Poke] = TypeAdapter(_Poke)


def _group(process: str) -> str:
    return "transport.process." + "".join(c if c.isalnum() else "-" for c in process)


class Orders:
    """Carries orders and probes from the rows to the streams."""

    def __init__(self, streams: Mapping[UUID, Stream]) -> None:
        self._streams = streams
        self._poked: Gathering[UUID] = Gathering()

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
        if not has_layer() or process == process_name():
            return
        message = {"type": "transport.poke", "connection": str(connection_id)}
        try:
            await get_channel_layer().group_send(_group(process), message)
        except Exception:
            # The owner's own tail finds the order a little later.
            logger.warning("could not poke a process", exc_info=True)

    async def receive_pokes(self) -> None:
        """Take the orders that other processes tell of, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._hear(), name="pokes-receive")
            tasks.create_task(self._take_poked(), name="pokes-take")

    async def _hear(self) -> None:
        mailbox = Mailbox("transport", _POKE)
        await mailbox.keep_joining(_group(process_name()))
        while True:
            poke = await mailbox.hear()
            if poke.connection in self._streams:
                self._poked.add([poke.connection])

    async def _take_poked(self) -> None:
        while True:
            poked = await self._poked.take()
            try:
                await self.take(poked)
            except Exception:
                # The owner's own tail finds the order a little later.
                logger.exception("could not take the orders of a poke")
            await asyncio.sleep(TAKE_PAUSE_S)
