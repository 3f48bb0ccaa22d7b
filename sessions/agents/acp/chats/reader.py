"""An agent that is asked for its chats: started, asked, ended, with no session of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from acp.schema import InitializeResponse

from sessions.agents import port
from sessions.agents.acp.chats.recorder import Recorder
from sessions.agents.acp.handshake import greet, start_error, ways_of, why_failed
from sessions.agents.acp.link import Link, until_quiet
from sessions.agents.acp.memory import fits
from sessions.agents.chats.found import FoundChat, Past, title_of
from sessions.agents.processes.confine import Confinement, Unconfined
from sessions.agents.processes.group import AgentProcess
from sessions.core.clean import clean
from sessions.core.conf import chat

logger = logging.getLogger(__name__)

MAX_CHATS: Final = 2_000
MAX_PAGES: Final = 100
# A list takes a second or two, most of them for the agent's start.
LIST_S: Final = 20.0

Json = dict[str, Any]


class NoChats(port.AgentError):
    """The agent does not tell its chats, or not this one; the text is a sentence for a person."""


@dataclass(frozen=True, slots=True)
class ChatReader:
    """A way to ask an agent. The fields are those of AcpAgent."""

    command: Sequence[str]
    label: str
    memory_mb: int
    confinement: Confinement | Unconfined
    meta: Mapping[str, Any]

    @contextlib.asynccontextmanager
    async def opened(self, cwd: Path, env: Mapping[str, str]) -> AsyncIterator[OpenReader]:
        """Start the agent; afterwards no process of it is alive. Raises AgentStartFailed."""
        recorder, link = Recorder(), None
        timeout_s = min(LIST_S, chat.START_TIMEOUT_S)
        try:
            try:
                async with asyncio.timeout(timeout_s):
                    process = await AgentProcess.spawn(
                        tuple(self.command),
                        cwd=cwd,
                        env=env,
                        memory_mb=self.memory_mb,
                        confinement=self.confinement,
                    )
                    link = Link(process, recorder)
                    recorder.attach(link.transport)
                    hello = await greet(link.connection)
            except Exception as exc:
                stderr = link.process.stderr_tail(lines=5) if link is not None else ""
                error = start_error(self.label, exc, timeout_s=timeout_s, stderr=stderr)
                raise port.AgentStartFailed(error) from exc
            yield OpenReader(self, link, recorder, hello)
        finally:
            if link is not None:
                await link.close(grace_s=0)


class OpenReader:
    """A running agent that tells its chats. ways: those to log in."""

    def __init__(
        self, reader: ChatReader, link: Link, recorder: Recorder, hello: InitializeResponse
    ) -> None:
        self._reader = reader
        self._link = link
        self._recorder = recorder
        self.ways = ways_of(hello)
        can = hello.agent_capabilities
        of_sessions = can.session_capabilities if can is not None else None
        self._can_list = of_sessions is not None and of_sessions.list is not None
        self._can_load = bool(can is not None and can.load_session)

    async def listed(self, cwd: Path) -> list[FoundChat]:
        """Return the chats of a folder, the last changed first. Raises NoChats."""
        if not self._can_list:
            raise NoChats(f"{self._reader.label} does not list its chats.")
        try:
            async with asyncio.timeout(LIST_S):
                found = await self._pages(cwd)
        except Exception as exc:
            why = why_failed(exc, timeout_s=LIST_S)
            raise NoChats(f"{self._reader.label} did not list its chats: {why}.") from exc
        return sorted(found.values(), key=lambda one: -one.changed_at)

    async def past(self, agent_session_id: str, cwd: Path) -> Past:
        """Return the turns of a chat as the agent tells them once more. Raises NoChats."""
        if not self._can_load:
            raise NoChats(f"{self._reader.label} cannot show what was said before.")
        self._recorder.record(agent_session_id)
        timeout_s = chat.START_TIMEOUT_S
        try:
            async with asyncio.timeout(timeout_s):
                await self._link.connection.load_session(
                    cwd=str(cwd), session_id=agent_session_id, mcp_servers=[], **self._reader.meta
                )
                await until_quiet(lambda: self._recorder.heard)
        except Exception as exc:
            why = why_failed(exc, timeout_s=timeout_s)
            raise NoChats(f"{self._reader.label} could not load this chat: {why}.") from exc
        return self._recorder.past()

    async def _pages(self, cwd: Path) -> dict[str, FoundChat]:
        """Return the chats of all pages; a row of a wrong form costs itself alone."""
        found: dict[str, FoundChat] = {}
        cursor: str | None = None
        for _ in range(MAX_PAGES):
            answer = await self._page(cwd, cursor)
            rows = answer.get("sessions")
            for row in rows if isinstance(rows, list) else []:
                if (one := _chat(row)) is not None and len(found) < MAX_CHATS:
                    found.setdefault(one.agent_session_id, one)
            following = answer.get("nextCursor")
            if not isinstance(following, str) or following in ("", cursor):
                break
            cursor = following
        return found

    async def _page(self, cwd: Path, cursor: str | None) -> Json:
        """Ask for one page. The library's own call refuses a page for one wrong row of it."""
        params: Json = {"cwd": str(cwd)} | ({} if cursor is None else {"cursor": cursor})
        answer = await self._link.connection._conn.send_request("session/list", params)  # noqa: SLF001
        return clean(answer) if isinstance(answer, dict) else {}


def _chat(row: Any) -> FoundChat | None:
    if not isinstance(row, dict):
        return None
    own, cwd, title = row.get("sessionId"), row.get("cwd"), row.get("title")
    if not isinstance(own, str) or not fits(own) or not isinstance(cwd, str):
        return None
    changed_at = _seconds(row.get("updatedAt"))
    return FoundChat(own, cwd, title_of(title) if isinstance(title, str) else "", changed_at)


def _seconds(told: Any) -> float:
    """Return a time of ISO 8601 in seconds since the epoch, 0 for anything else."""
    try:
        return datetime.fromisoformat(told).timestamp()
    except (TypeError, ValueError, OverflowError, OSError):
        return 0.0
