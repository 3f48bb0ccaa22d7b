"""One process of an agent with its pipes and the ACP library between: from spawn to its end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

from acp import connect_to_agent
from acp.client.connection import ClientSideConnection

from sessions.agents.acp.pipe.wire import AcpTransport, Sink
from sessions.agents.processes.group import AgentProcess

# How long the pipe of a dead agent may be silent, held open by a stray child, before it is closed.
SILENT_PIPE_S = 0.5
EXIT_GRACE_S = 2.0
# A loaded session is resumed when nothing more of it has been told for so long, and soon anyway.
REPLAY_QUIET_S = 0.5
REPLAY_LIMIT_S = 10.0


class Link:
    """A running process that speaks ACP; `close` ends it."""

    def __init__(self, process: AgentProcess, sink: Sink) -> None:
        self.process = process
        self.transport = AcpTransport(process, sink)
        # The library takes a class of handlers, and a router takes any object: it needs none here.
        self.connection: ClientSideConnection = connect_to_agent(_NoHandlers(), self.transport)  # type: ignore[arg-type]
        self._is_closing = False
        # Ends with the agent, however that comes: no process of it and no request is left then.
        self.ended = asyncio.create_task(self._end(), name=f"agent-watch-{process.pid}")

    async def close(self, *, grace_s: float) -> None:
        """End the agent and every process of it."""
        self._is_closing = True
        await self.process.close(grace_s=grace_s)
        await self.ended

    def end_error(self, label: str) -> str:
        """Return why the agent has ended, a sentence for a person."""
        if self.transport.broken:
            return f"{label} wrote something that is not its protocol: {self.transport.broken}."
        code = self.process.exit_code
        how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        reason, stderr = self.process.memory_reason, self.process.stderr_tail()
        first = f"{label} ended unexpectedly ({how})." + (f" {reason}" if reason else "")
        return first + (f"\n{stderr}" if stderr else "")

    async def _end(self) -> None:
        await first_of(self.process.wait(), self.transport.ended.wait(), self._deaf())
        if self.process.is_running and self.transport.broken is None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EXIT_GRACE_S):
                    await self.process.wait()
        await self._drained()
        await self.process.close(grace_s=0)
        await self.connection.close()

    async def _deaf(self) -> None:
        """Wait until the agent has closed its input; when we did, until its end."""
        await self.process.wait_deaf()
        if self._is_closing:
            await self.process.wait()

    async def _drained(self) -> None:
        """Let the reader take the rest in the pipe of a dead agent, as long as something comes."""
        while not self.process.is_running and not self.transport.ended.is_set():
            was_waiting = self.transport.is_waiting
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SILENT_PIPE_S):
                    await self.transport.ended.wait()
            if was_waiting and self.transport.is_waiting:
                return


async def first_of(*waits: Coroutine[Any, Any, Any], timeout_s: float | None = None) -> None:
    """Wait until the first of several is over, at most timeout_s; the others are cancelled."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED, timeout=timeout_s)
    finally:
        for task in tasks:
            task.cancel()


async def until_quiet(heard: Callable[[], int]) -> None:
    """Wait until an agent has told all of a loaded session. heard: its updates so far.

    ACP wants that before the answer. Gemini continues after it, and no message tells the end: the
    rest would stand in the answer to the next prompt.
    """
    before = None
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(REPLAY_LIMIT_S):
            while before != heard():
                before = heard()
                await asyncio.sleep(REPLAY_QUIET_S)


class _NoHandlers:
    """The client for the library: updates and permission requests come by the transport."""
