"""POSTs and uploads on a line: each meets the next fault that the seed has drawn."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from random import Random

from lab.chaos.faults import PostFault, post_fault
from lab.chaos.network import http
from lab.chaos.network.condition import SILENT_S, Condition
from lab.chaos.network.http import Request, Servers
from sessions.core.tasks import TaskSet


class Posts:
    """The POSTs and uploads of one line. tasks: those of the line, which ends them."""

    def __init__(
        self, condition: Condition, servers: Servers, *, random: Random, tasks: TaskSet
    ) -> None:
        self._condition = condition
        self._servers = servers
        self._random = random
        self._tasks = tasks

    async def serve(self, request: Request, writer: asyncio.StreamWriter) -> None:
        """Deliver a request as its fault wants it: not at all, once, twice, late."""
        fault = post_fault(self._random)
        wait_s = self._random.uniform(0.05, 1.0)
        self._condition.count(fault)
        if fault is PostFault.NONE:
            await self._pass_on(request, writer)
            return
        with self._condition.disturbed():
            await self._spoil(request, writer, fault, wait_s)

    async def _pass_on(self, request: Request, writer: asyncio.StreamWriter) -> None:
        answer = await self._servers.deliver(request)
        await self._condition.flows.wait()
        await http.answer(writer, answer)

    async def _spoil(
        self, request: Request, writer: asyncio.StreamWriter, fault: PostFault, wait_s: float
    ) -> None:
        match fault:
            case PostFault.REQUEST_LOST:
                return
            case PostFault.ANSWER_LOST:
                await self._servers.deliver(request)
                return
            case PostFault.BAD_GATEWAY:
                await http.answer(writer, http.page(502))
                return
            case PostFault.BAD_GATEWAY_AFTER:
                await self._servers.deliver(request)
                await http.answer(writer, http.page(502))
                return
            case PostFault.STALE:
                await http.answer(writer, http.stale())
                return
            case PostFault.HELD:
                await asyncio.sleep(SILENT_S)
                await self._servers.deliver(request)
                return
            case PostFault.DELAYED:
                await asyncio.sleep(wait_s)
            case PostFault.TWICE:
                self._tasks.start(self._deliver_later(request, 0.0), name="copy")
            case PostFault.COPY_LATER:
                self._tasks.start(self._deliver_later(request, 3 * wait_s), name="copy")
        await self._pass_on(request, writer)

    async def _deliver_later(self, request: Request, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        with suppress(OSError, EOFError):
            await self._servers.deliver(request)
