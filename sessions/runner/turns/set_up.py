"""The set-up script of a new worktree: run before the first prompt, shown as a tool call."""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import Final
from uuid import UUID, uuid4

from sessions.agents import registry
from sessions.agents.port import AgentError, ToolCall, ToolDone, ToolOutput, Update
from sessions.agents.processes.confine import CannotConfine
from sessions.agents.processes.group import AgentProcess
from sessions.control.worktrees import beginning
from sessions.control.worktrees.beginning import SetUp
from sessions.core.conf import chat
from sessions.core.db import in_thread, retry_while_down
from sessions.core.errors import ChatError
from sessions.runner.turns.stop_requests import StopRequests

# Of the output in the log; the script runs on beyond it.
MAX_OUTPUT_CHARS: Final = 200_000
_CHUNK: Final = 8192


class SetUpStopped(Exception):
    """A person has stopped the script."""


async def set_up(
    session_id: UUID,
    take: Callable[[Update], Awaitable[None]],
    stops: StopRequests,
    ids: Collection[str],
) -> None:
    """Run the script of a worktree that has not had it yet; a script that fails stops no prompt.

    After a kill in the middle it runs again with the next prompt. Raises SetUpStopped, AgentError.
    """
    wanted = await in_thread(beginning.set_up_of, session_id)
    if wanted is None:
        return
    running = asyncio.create_task(_run(session_id, wanted, take), name=f"set-up-{session_id}")
    stopped = asyncio.create_task(stops.until_one_of(ids), name="set-up-stopped")
    try:
        await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            raise SetUpStopped
        running.result()
    finally:
        running.cancel()
        stopped.cancel()
        await asyncio.gather(running, stopped, return_exceptions=True)
    await retry_while_down(partial(beginning.is_set_up, session_id))


async def _run(session_id: UUID, wanted: SetUp, take: Callable[[Update], Awaitable[None]]) -> None:
    tool_id = f"set-up-{uuid4()}"
    told = {"command": wanted.script}
    await take(ToolCall(tool_id, "Set-up script", "execute", "Set-up script", told))
    process = await _started(session_id, wanted)
    try:
        async with asyncio.timeout(chat.TURN_TIMEOUT_S):
            output = await _output(process, tool_id, take)
            status = await process.wait()
    except TimeoutError:
        output, status = f"The script took over {chat.TURN_TIMEOUT_S:g} s.", None
    finally:
        await process.close(grace_s=0)
    end = "" if status == 0 or status is None else f"\nThe script ended with {status}."
    await take(ToolDone(tool_id, "completed" if status == 0 else "failed", output + end))


async def _started(session_id: UUID, wanted: SetUp) -> AgentProcess:
    try:
        env = await in_thread(
            partial(
                registry.environment,
                wanted.agent,
                session_id=str(session_id),
                cwd=wanted.folder,
                account=wanted.account,
            )
        )
        confinement = registry.confinement_of_script(wanted.agent, shared=wanted.shared)
        return await AgentProcess.spawn(
            ("/bin/sh", "-c", f"exec 2>&1 </dev/null\n{wanted.script}"),
            cwd=wanted.folder,
            env=env,
            memory_mb=chat.AGENT_MEMORY_MB,
            confinement=confinement,
        )
    except (ChatError, CannotConfine, OSError) as exc:
        raise AgentError(f"The set-up script cannot start: {exc}") from exc


async def _output(
    process: AgentProcess, tool_id: str, take: Callable[[Update], Awaitable[None]]
) -> str:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = ""
    while data := await process.stdout.read(_CHUNK):
        room = MAX_OUTPUT_CHARS - len(text)
        piece = decoder.decode(data)[:room]
        if piece:
            text += piece
            await take(ToolOutput(tool_id, piece))
    return text
