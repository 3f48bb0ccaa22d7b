"""An agent's process: a group of its own, a drained stderr, and no survivor after its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import uuid
from asyncio.subprocess import PIPE, SubprocessStreamProtocol
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from sessions.agents.processes import scope, tree
from sessions.agents.processes.confine import UNCONFINED, Confinement, Kind, Unconfined
from sessions.agents.processes.memory import MemoryWatch, limit_memory
from sessions.agents.processes.tail import Tail
from sessions.core import metrics
from sessions.core.hardening.files import usual_umask
from sessions.core.host import limit_files_as_usual

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
        kind: Kind,
    ) -> None:
        self._running = metrics.AGENTS_RUNNING.labels(confinement=kind)
        self._running.inc()
        self._is_counted = True
        self._transport = transport
        self._protocol = protocol
        self._mark = mark
        self._confinement = confinement
        self._scope: scope.Scope | None = None
        self._memory: MemoryWatch | None = None
        # How the agent ran out of memory, a sentence for a person; known once it is closed.
        self.memory_reason = ""
        self._known: set[tree.ProcessRef] = set()
        self.pid = transport.get_pid()
        self._stderr = Tail(_there(protocol.stderr), name=f"agent-stderr-{self.pid}")

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
            umask=usual_umask(),
        )
        # From here on there is a process: a start that fails or is cancelled must end it.
        process = cls(transport, protocol, mark, confinement, launch.kind)
        scoping = asyncio.create_task(_scoped(env.get(tree.SESSION) or mark, process.pid))
        try:
            _limit(process.pid, memory_mb)
            process._scope = await asyncio.shield(scoping)
            process._memory = await asyncio.to_thread(
                MemoryWatch, process._scope, memory_mb=memory_mb
            )
        except BaseException:
            # Shielded, too: a second cancel finds it under way.
            await asyncio.shield(asyncio.create_task(process._give_up(scoping)))
            raise
        return process

    async def _give_up(self, scoping: asyncio.Task[scope.Scope | None]) -> None:
        """End the process and what it has started; its scope goes once it is made."""
        await self.kill_tree()
        await asyncio.wait({scoping})
        self._scope = None if scoping.exception() else scoping.result()
        await self.close(grace_s=0)

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
        return self._stderr.lines(lines)

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
        # Else the group's number may be another's by now.
        is_ours = self.is_running or len(outside) < len(found)
        if is_ours:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signum)
        tree.send_signal(outside, signum)
        return is_ours or bool(found)

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
            if not found and not self.is_running:
                break
            tree.send_signal(found, signal.SIGKILL)
            if self.is_running:  # also where the system's table cannot be read
                self._transport.kill()
            await asyncio.sleep(KILL_POLL_S)

    def _has_known_alive(self) -> bool:
        self._known = {ref for ref in self._known if tree.is_alive(ref)}
        return bool(self._known)

    async def close(self, *, grace_s: float) -> None:
        """Close stdin, wait grace_s for a good end, then SIGTERM, then SIGKILL. Never raises."""
        with contextlib.suppress(OSError, RuntimeError):
            self.stdin.close()
        await self._exited_within(grace_s)
        code = self.exit_code  # before a signal of ours
        if self.is_running:
            await self.signal_group(signal.SIGTERM)
            await self._exited_within(min(grace_s, 1.0))
        await self.kill_tree()
        await self._release()
        if self._memory is not None and not self.memory_reason:
            tail = self.stderr_tail()
            self.memory_reason = await asyncio.to_thread(self._memory.reason, code, tail)
        if self._scope is not None:
            await asyncio.to_thread(self._scope.end)
        await asyncio.to_thread(self._confinement.clean)

    async def _exited_within(self, timeout_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self.wait()

    async def _release(self) -> None:
        await self._exited_within(1.0)
        if self._is_counted:
            self._is_counted = False
            self._running.dec()
        await self._stderr.end()
        self._transport.close()


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


async def _scoped(name: str, pid: int) -> scope.Scope | None:
    """Return a scope with the process in it; None where there are none."""
    own = await asyncio.to_thread(scope.make, name)
    if own is not None:
        await asyncio.to_thread(own.add, pid)
    return own


def _limit(pid: int, memory_mb: int) -> None:
    limit_files_as_usual(pid)
    if memory_mb:
        limit_memory(pid, memory_mb)


def _group_of(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None
