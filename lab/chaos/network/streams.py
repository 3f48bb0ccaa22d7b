"""Streams on a line: carried from server to device, until one of them or a fault ends them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Final

from lab.chaos.faults import CutKind, StreamFault, stream_fault
from lab.chaos.network import http
from lab.chaos.network.condition import SILENT_S, Condition
from lab.chaos.network.http import Request, Servers

READ_BYTES: Final = 16 * 1024
# The pace of a slow line: less than an answer needs, so that buffers fill.
TRICKLE_BYTES: Final = 2048
TRICKLE_S: Final = 0.2
# A server that was not told keeps its end for so long.
GHOST_S: Final = 4.0


@dataclass(slots=True, eq=False)
class _Pair:
    """Both ends of one open stream."""

    near: asyncio.StreamWriter
    far: asyncio.StreamWriter
    cut: asyncio.Event = field(default_factory=asyncio.Event)


class Streams:
    """The open streams of one line."""

    def __init__(self, condition: Condition, servers: Servers, *, random: Random) -> None:
        self._condition = condition
        self._servers = servers
        self._random = random
        self._pairs: set[_Pair] = set()

    def cut(self) -> int:
        """Cut every open stream in the middle; return how many there were."""
        for pair in list(self._pairs):
            pair.cut.set()
        return len(self._pairs)

    async def serve(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Carry a stream as its fault wants it."""
        fault, life_s, cut = StreamFault.NONE, 0.0, CutKind.BOTH
        if not self._condition.is_honest:
            fault, life_s, cut = stream_fault(self._random)
        self._condition.count(fault)
        if fault is StreamFault.SILENT:
            await asyncio.sleep(SILENT_S)
        elif fault is not StreamFault.NONE:
            status = 502 if fault is StreamFault.BAD_GATEWAY else 404
            await http.answer(writer, http.page(status))
        else:
            far_reader, far = await self._servers.connect()
            pair = _Pair(writer, far)
            self._pairs.add(pair)
            far.write(request.raw)
            try:
                await self._carry(pair, reader, far_reader, life_s, cut)
            finally:
                self._pairs.discard(pair)
                http.abort(far)

    async def _carry(
        self,
        pair: _Pair,
        near_reader: asyncio.StreamReader,
        far_reader: asyncio.StreamReader,
        life_s: float,
        cut: CutKind,
    ) -> None:
        """Carry a stream until one side ends it or its time is over."""
        ends = [
            asyncio.create_task(self._flow(far_reader, pair.near)),
            asyncio.create_task(near_reader.read(1)),  # a device that closes; it sends nothing
            asyncio.create_task(pair.cut.wait()),
        ]
        limit = life_s or None
        try:
            done, _ = await asyncio.wait(ends, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in ends:
                task.cancel()
            await asyncio.gather(*ends, return_exceptions=True)
        if done and ends[2] not in done:
            return  # ended by a side, not by the line
        if self._condition.is_honest:
            return
        self._condition.count(cut if not done else "")
        if not done and cut is CutKind.GHOST:
            http.abort(pair.near)
            await asyncio.sleep(GHOST_S)
        elif not done and cut is CutKind.DEAF:
            http.abort(pair.far)
            await near_reader.read(1)
        else:
            await _half_a_frame(far_reader, pair.near)

    async def _flow(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await self._condition.flows.wait()
            is_slow = self._condition.is_slow
            data = await reader.read(TRICKLE_BYTES if is_slow else READ_BYTES)
            if not data:
                return
            # Nothing is awaited in between: taken bytes are passed on, or a cut would be a hole.
            writer.write(data)
            await writer.drain()
            if self._condition.is_slow:
                await asyncio.sleep(TRICKLE_S)


async def _half_a_frame(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Let half of the next bytes through, and no more."""
    with suppress(TimeoutError):
        async with asyncio.timeout(0.2):
            data = await reader.read(READ_BYTES)
            writer.write(data[: len(data) // 2])
            await writer.drain()
