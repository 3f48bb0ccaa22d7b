"""An agent's process: a group of its own, a drained stderr, and no survivor after its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import sys
import uuid
from asyncio.subprocess import PIPE, SubprocessStreamProtocol
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from sessions.agents.processes import tree
from sessions.agents.processes.confine import UNCONFINED, Confinement, Unconfined
from sessions.core.host import limit_files_as_usual

# Enough for the last stack trace of an agent; the part before it is dropped.
STDERR_TAIL_BYTES = 64 * 1024
# The part of stdout that asyncio holds before it stops reading the pipe (it pauses at twice this).
STDOUT_BUFFER_BYTES = 256 * 1024
KILL_ROUNDS = 100
KILL_POLL_S = 0.03

Stream = TypeVar("Stream", asyncio.StreamReader, asyncio.StreamWriter)

LADDER = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)


class AgentProcess:
    """A running agent command. Made by `spawn`, ended by `kill_tree` or `close`."""

    def __init__(
        self,
        transport: asyncio.SubprocessTransport,
        protocol: _Protocol,
        mark: str,
        confinement: Confinement | Unconfined,
    ) -> None:
        self._transport = transport
        self._protocol = protocol
        self._mark = mark
        self._confinement = confinement
        self._known: set[tree.ProcessRef] = set()
        self._stderr = bytearray()
        self.pid = transport.get_pid()
        self._drain = asyncio.create_task(self._drain_stderr(), name=f"agent-stderr-{self.pid}")

    @classmethod
    async def spawn(
        cls,
        command: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        memory_mb: int = 0,
        confinement: Confinement | Unconfined = UNCONFINED,
    ) -> AgentProcess:
        """Start command in a session of its own, confined.

        memory_mb: how much each of its processes may allocate; 0: no limit. Linux alone has it.
        Raises OSError or CannotConfine when it cannot be started.
        """
        mark = uuid.uuid4().hex
        launch = await asyncio.to_thread(confinement.prepare, command, cwd=cwd, env=env)
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.subprocess_exec(
            lambda: _Protocol(loop),
            *launch.command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            cwd=cwd,
            env={**launch.env, tree.MARK: mark},
            pass_fds=launch.descriptors,
            start_new_session=True,
        )
        limit_files_as_usual(transport.get_pid())
        if memory_mb:
            _limit_memory(transport.get_pid(), memory_mb)
        return cls(transport, protocol, mark, confinement)

    @property
    def stdin(self) -> asyncio.StreamWriter:
        """The agent's input."""
        return _there(self._protocol.stdin)

    @property
    def stdout(self) -> asyncio.StreamReader:
        """The agent's output. It must be read: the agent waits for it."""
        return _there(self._protocol.stdout)

    @property
    def exit_code(self) -> int | None:
        """Return None while it runs; negative: the signal that ended it."""
        return self._transport.get_returncode()

    @property
    def is_running(self) -> bool:
        """Return whether the process itself has not ended."""
        return self.exit_code is None

    async def wait(self) -> int | None:
        """Wait for the end of the process itself, even when a child still holds its pipes."""
        await self._protocol.exited.wait()
        return self.exit_code

    async def wait_deaf(self) -> None:
        """Wait until the agent's input is closed, by whichever side."""
        await self._protocol.deaf.wait()

    def stderr_tail(self, *, lines: int = 20) -> str:
        """Return the last lines of the agent's stderr, for an error message."""
        text = self._stderr.decode("utf-8", "replace")
        return "\n".join(text.splitlines()[-lines:]).strip()

    async def remember(self) -> set[tree.ProcessRef]:
        """Note and return the processes that belong to this agent now."""
        found = await asyncio.to_thread(
            tree.scan, self.pid, mark=self._mark, known=frozenset(self._known)
        )
        self._known |= found
        return found

    async def glimpse(self) -> None:
        """Note the descendants of this moment: cheap, to be done often while tools run.

        One that later leaves the tree, its session and its environment behind is found by this.
        """
        self._known |= await asyncio.to_thread(tree.descendants, self.pid)

    async def signal_group(self, signum: signal.Signals) -> bool:
        """Signal the group and every remembered descendant outside it.

        Return False when nothing is left.
        """
        found = await self.remember()
        outside = [ref for ref in found if _group_of(ref.pid) != self.pid]
        if len(outside) < len(found):  # else the group's number may be another's by now
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signum)
        tree.send_signal(outside, signum)
        return bool(found)

    async def is_gone(self, *, timeout_s: float) -> bool:
        """Return whether no process of the agent is left, at the latest after timeout_s."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while True:
            # A scan of all processes is dear: only when those that are known have ended.
            if not self._has_known_alive() and not await self.remember():
                return True
            if loop.time() >= deadline:
                return False
            await asyncio.sleep(KILL_POLL_S)

    async def kill_tree(self) -> None:
        """SIGKILL every process of the agent until none is left. Bounded against fork bombs."""
        for _ in range(KILL_ROUNDS):
            found = await self.remember()
            if not found:
                break
            tree.send_signal(found, signal.SIGKILL)
            await asyncio.sleep(KILL_POLL_S)

    def _has_known_alive(self) -> bool:
        self._known = {ref for ref in self._known if tree.is_alive(ref)}
        return bool(self._known)

    async def close(self, *, grace_s: float) -> None:
        """Close stdin, wait grace_s for a good end, then SIGTERM, then SIGKILL. Never raises."""
        with contextlib.suppress(OSError, RuntimeError):
            self.stdin.close()
        await self._exited_within(grace_s)
        if self.is_running:
            await self.signal_group(signal.SIGTERM)
            await self._exited_within(min(grace_s, 1.0))
        await self.kill_tree()
        await self._release()
        await asyncio.to_thread(self._confinement.clean)

    async def _exited_within(self, timeout_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self.wait()

    async def _release(self) -> None:
        await self._exited_within(1.0)
        # The last words of a dead agent are still in the pipe: they belong into the error message.
        await asyncio.wait([self._drain], timeout=1.0)
        self._drain.cancel()
        self._transport.close()

    async def _drain_stderr(self) -> None:
        """Read stderr to its end so that the agent never waits for us; keep the tail."""
        stream = _there(self._protocol.stderr)
        while chunk := await stream.read(STDOUT_BUFFER_BYTES):
            self._stderr += chunk
            del self._stderr[:-STDERR_TAIL_BYTES]


async def ladder(process: AgentProcess, *, step_s: float) -> AsyncIterator[signal.Signals]:
    """Yield each signal just sent: SIGINT, after step_s SIGTERM, then SIGKILL.

    Ends as soon as nothing is left. The caller reports the step between two signals. When the
    iterator is used up no process is alive.
    """
    for signum in LADDER:
        if not await process.signal_group(signum):
            return
        yield signum
        if await process.is_gone(timeout_s=step_s):
            return
    await process.kill_tree()


class _Protocol(SubprocessStreamProtocol):
    """The streams of asyncio's subprocess, and the end of the process as soon as it is known.

    Process.wait() of Python 3.11 also waits until every pipe is closed, which a stray child can
    delay for ever.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit=STDOUT_BUFFER_BYTES, loop=loop)
        self.exited = asyncio.Event()
        self.deaf = asyncio.Event()

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        super().pipe_connection_lost(fd, exc)
        if fd == 0:
            self.deaf.set()

    def process_exited(self) -> None:
        super().process_exited()
        self.exited.set()


def _there(stream: Stream | None) -> Stream:
    """Return a stream that was asked for with PIPE."""
    if stream is None:
        raise RuntimeError("The process has no such pipe.")
    return stream


def _limit_memory(pid: int, memory_mb: int) -> None:
    """Bound the memory that a process and its future children may allocate.

    RLIMIT_DATA, not RLIMIT_AS: JavaScript engines reserve many gigabytes that they never touch.
    """
    if sys.platform == "linux":
        limit = memory_mb * 1024 * 1024
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_DATA, (limit, limit))


def _group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None
