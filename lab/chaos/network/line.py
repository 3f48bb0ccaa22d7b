"""The cutting proxy: one line per device, on a port of its own, over which nothing is certain.

A line carries one request per connection, so that the n-th POST of a device meets the n-th fault
that its seed has drawn, independent of the other devices.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from random import Random

from lab.chaos.evidence import Disturbance
from lab.chaos.network import http
from lab.chaos.network.condition import Condition
from lab.chaos.network.http import HOST, Servers
from lab.chaos.network.posts import Posts
from lab.chaos.network.streams import Streams
from sessions.core.tasks import TaskSet


class Line:
    """A device's way to the servers. ports: those that it may be led to at this moment."""

    def __init__(
        self,
        name: str,
        *,
        ports: Callable[[], Sequence[int]],
        random: Random,
        counts: Counter[str],
        disturbances: list[Disturbance],
    ) -> None:
        self.name = name
        self._condition = Condition(name, counts, disturbances)
        self._servers = Servers(ports, random)
        self._tasks = TaskSet()
        self._posts = Posts(self._condition, self._servers, random=random, tasks=self._tasks)
        self._streams = Streams(self._condition, self._servers, random=random)
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """The address at which the device finds its server."""
        if self._server is None:
            raise RuntimeError("the line is not open")
        return f"http://{HOST}:{self._server.sockets[0].getsockname()[1]}"

    def disturbed(self) -> AbstractContextManager[None]:
        """Note the time of a fault that the conductor plays on this line."""
        return self._condition.disturbed()

    async def open(self) -> None:
        """Begin to take connections."""
        self._server = await asyncio.start_server(self._accept, HOST, 0)

    async def close(self) -> None:
        """End every connection and the port."""
        if self._server is not None:
            self._server.close()
        self.cut()
        await self._tasks.end()

    def cut(self) -> int:
        """Cut every open stream in the middle; return how many there were."""
        return self._streams.cut()

    def stall(self, stalled: bool) -> None:  # noqa: FBT001 (says it at the call)
        """Let nothing through in either direction, without an end; or let it flow again."""
        if stalled:
            self._condition.flows.clear()
        else:
            self._condition.flows.set()

    def slow(self, slow: bool) -> None:  # noqa: FBT001 (says it at the call)
        """Let answers through at a trickle."""
        self._condition.is_slow = slow

    def refuse(self, refuses: bool) -> None:  # noqa: FBT001 (says it at the call)
        """Take no new connection."""
        self._condition.refuses = refuses

    def heal(self) -> None:
        """Be a good line from now on."""
        self._condition.heal()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.start(self._serve(reader, writer), name="line")

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self._condition.refuses:
                return
            request = await http.read_request(reader)
            await self._condition.flows.wait()
            if request.is_stream:
                await self._streams.serve(request, reader, writer)
            elif request.is_command and not self._condition.is_honest:
                await self._posts.serve(request, writer)
            else:
                await http.answer(writer, await self._servers.deliver(request))
        except (OSError, EOFError, asyncio.LimitOverrunError):
            pass  # a broken end: the other one is broken, too
        finally:
            http.abort(writer)
