"""The start of an agent: its process and its session, a second try where the first one hung."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sessions.agents import port
from sessions.agents.acp.conversation import Conversation
from sessions.agents.acp.handshake import LoadFailed, Opened, open_session
from sessions.agents.acp.link import Link, until_quiet
from sessions.agents.acp.memory import Memory
from sessions.agents.acp.translation import modes
from sessions.agents.content import ToolServer
from sessions.agents.processes.group import AgentProcess
from sessions.core.conf import chat

Spawn = Callable[..., Awaitable[AgentProcess]]

# Of the time to start: the rest is for the start without the session that could not be loaded.
LOAD_SHARE = 0.5


class Opening:
    """One start of an agent. label: its name in sentences for a person.

    meta: the `_meta` of each session's opening. spawn: starts its process in a folder with an
    environment. Raises OSError, ValueError.
    """

    def __init__(
        self,
        spawn: Spawn,
        label: str,
        conversation: Conversation,
        meta: Mapping[str, Any],
        servers: Sequence[ToolServer] = (),
    ) -> None:
        self._servers = servers
        self._spawn = spawn
        self._meta = meta
        self._label = label
        self._conversation = conversation
        self.link: Link | None = None  # the process, from its start

    async def open(
        self,
        *,
        cwd: Path,
        env: Mapping[str, str],
        memory: Memory,
        mode: str | None,
        cost_usd: float,
    ) -> port.Started:
        """Start the agent and open a session, one of the memory where the agent takes it.

        An agent that hangs or dies while it loads a session is started once more without it.
        Raises OSError, ValueError, and the agent's own answers.
        """
        await self._connect(cwd, env)
        try:
            return await self._session(cwd, memory, mode, cost_usd)
        except LoadFailed as exc:
            await self.close()
            await self._connect(cwd, env)
            started = await self._session(cwd, Memory(), mode, 0.0)
            if memory.is_fork:
                return started
            why = f"it could not load its session ({exc})"
            return replace(started, memory_error=self._forgotten(why))

    async def close(self) -> None:
        """End the process and all that it has started."""
        if self.link is not None:
            await self.link.close(grace_s=0)

    def stderr(self) -> str:
        """Return the lack of memory that ended it, where it was that, and its last lines."""
        if self.link is None:
            return ""
        process = self.link.process
        return f"{process.memory_reason}\n{process.stderr_tail(lines=5)}".strip()

    async def _connect(self, cwd: Path, env: Mapping[str, str]) -> None:
        self.link = None
        self.link = Link(await self._spawn(cwd=cwd, env=env), self._conversation)
        self._conversation.attach(self.link.transport)

    async def _session(
        self, cwd: Path, memory: Memory, mode: str | None, cost_usd: float
    ) -> port.Started:
        said, link = self._conversation, self.link
        if link is None:
            raise port.AgentGone(f"{self._label} is not running.")
        said.replayed, said.cost.total_usd = memory.session_ids, cost_usd
        load_s = chat.START_TIMEOUT_S * LOAD_SHARE
        opened = await open_session(
            link.connection,
            cwd=cwd,
            resume=memory.session_ids,
            is_fork=memory.is_fork,
            mode=mode,
            load_s=load_s,
            meta=self._meta,
            servers=self._servers,
        )
        if not opened.resumed:
            said.cost.total_usd = 0.0
        elif opened.session_id != memory.newest:
            said.cost.total_usd = None
        said.session_id, said.modes = opened.session_id, opened.modes
        said.options, said.ways = opened.options, opened.ways
        if opened.is_loaded:
            await until_quiet(lambda: self._conversation.heard)
        return self._started(opened, memory)

    def _started(self, opened: Opened, memory: Memory) -> port.Started:
        kept = memory.after(opened.session_id, resumed=opened.resumed).kept()
        return port.Started(
            kept if opened.can_resume else None,
            modes.shown(opened.modes),
            opened.modes.current,
            opened.resumed,
            options=opened.options,
            commands=self._conversation.commands,
            mode_error=opened.mode_error and f"{self._label} {opened.mode_error}.",
            memory_error=self._memory_error(opened, memory),
            takes_images=opened.takes_images,
            takes_texts=opened.takes_texts,
            servers=opened.servers,
            is_forked=memory.is_fork and opened.resumed,
        )

    def _memory_error(self, opened: Opened, memory: Memory) -> str | None:
        """Return a sentence for a person when the agent does not remember all, else None."""
        if not memory.session_ids or memory.is_fork:
            return None  # an agent that has not copied a session is told what was said
        if not opened.resumed:
            return self._forgotten(f"it did not resume its session ({opened.refusal})")
        if opened.session_id != memory.newest:
            return f"{self._label} has resumed an earlier session and forgotten what came after it."
        return None

    def _forgotten(self, why: str) -> str:
        return f"{self._label} has forgotten what was said before: {why}."
