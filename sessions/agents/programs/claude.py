"""Claude through the Agent SDK, whose package carries the CLI: nothing else to install.

The SDK's client lives in this process and the CLI in its group, so the server stops, kills and
limits them like any other agent. The SDK's `interrupt` is guarded here: it
can raise, and it can wait a minute for a CLI that hangs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import uuid
from collections.abc import AsyncIterator
from typing import Any

import claude_agent_sdk as sdk

from sessions.agents.programs.claude_parts.messages import servers_of, usage_of
from sessions.agents.programs.claude_parts.requests import Requests
from sessions.agents.programs.claude_parts.transcript import Transcript
from sessions.agents.programs.stdio import (
    Chat,
    Json,
    RequestFailed,
    StdioAgent,
    setting_sources,
)

# Below the server's own deadline for an interrupt, so that the reason arrives there.
INTERRUPT_S = 4.0
# The SDK keeps a hundred messages more; after that the CLI waits.
WAITING_MESSAGES = 100
# The mark of the end of a turn that no prompt began.
OWN_END: Json = {"_claude/origin": {"kind": "task-notification"}}


class ClaudeAgent(StdioAgent):
    """One SDK client, and so one CLI, for each session."""

    NAME = "claude"
    TAKES_SERVERS = True
    MODES = (
        {"id": "default", "name": "Ask", "description": "Ask before edits and commands"},
        {"id": "acceptEdits", "name": "Edit", "description": "Edit files without asking"},
        {"id": "plan", "name": "Plan", "description": "Plan only, change nothing"},
    )

    def __init__(self) -> None:
        super().__init__()
        self._sessions: dict[str, ClaudeSession] = {}

    async def opened(self, chat: Chat) -> None:
        """Start the CLI for a session, with its old conversation where there is one."""
        session = ClaudeSession(self, chat)
        await session.connect()
        self._sessions[chat.session_id] = session

    def foreign(self, session_id: str) -> Json | None:
        """Take Claude's own id of a chat that began in a terminal; ids of ours have no hyphens."""
        try:
            is_claudes = str(uuid.UUID(session_id)) == session_id
        except ValueError:
            is_claudes = False
        return {"claude": session_id} if is_claudes else None

    async def turn(self, chat: Chat, text: str) -> str:
        """Let Claude answer text."""
        return await self._sessions[chat.session_id].turn(text)

    async def cancel(self, chat: Chat) -> None:
        """Interrupt Claude; say so when that fails."""
        error = await self._sessions[chat.session_id].interrupt()
        if error:
            refusal = {"code": -32000, "message": error}
            await self.write({"jsonrpc": "2.0", "id": None, "error": refusal})

    async def mode_set(self, chat: Chat) -> None:
        """Pass a changed mode on."""
        await self._sessions[chat.session_id].set_mode(chat.mode)


class ClaudeSession:
    """The SDK's client of one session, and a reader that always drains it."""

    def __init__(self, agent: ClaudeAgent, chat: Chat) -> None:
        self._agent = agent
        self._chat = chat
        self._messages: asyncio.Queue[Any] = asyncio.Queue(WAITING_MESSAGES)
        self._prompt_id: str | None = None  # while a turn is open
        self._is_cancelled = False
        self._interrupting = asyncio.Lock()
        self._transcript = Transcript(chat)
        self._requests = Requests(chat)
        self._client: Any = None
        self._reader: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Start the CLI. Raises RequestFailed with its words."""
        said: list[str] = []
        options: Json = {
            "cwd": self._chat.cwd,
            "resume": self._chat.facts.get("claude"),
            "include_partial_messages": True,
            "can_use_tool": self._requests.may_use,
            "permission_mode": self._chat.mode,
            # A folder's own settings can run commands unasked; a person's settings are theirs.
            "setting_sources": setting_sources(),
            "mcp_servers": servers_of(self._chat.servers),
            "stderr": lambda line: _complain(said, line),
        }
        self._client = sdk.ClaudeSDKClient(sdk.ClaudeAgentOptions(**options))
        try:
            await self._client.connect()
        except Exception as exc:
            raise RequestFailed(f"Claude did not start: {exc} {' '.join(said[-3:])}") from exc
        self._reader = asyncio.create_task(self._read())

    async def turn(self, text: str) -> str:
        """Send a prompt and pass its messages on until its result; return ACP's stop reason."""
        self._is_cancelled = False
        self._prompt_id = str(uuid.uuid4())
        try:
            await self._client.query(_one(text, self._prompt_id))
            while True:
                message = await self._messages.get()
                if isinstance(message, sdk.ResultMessage):
                    if self._is_for_another_turn(message):
                        continue
                    return await self._finish(message)
                await self._transcript.show(message)
        finally:
            self._prompt_id = None
            while not self._messages.empty():
                self._messages.get_nowait()

    async def interrupt(self) -> str | None:
        """Interrupt the open turn; return why it failed, None when it did not."""
        if self._interrupting.locked():
            return None
        async with self._interrupting:
            self._is_cancelled = True
            try:
                async with asyncio.timeout(INTERRUPT_S):
                    await self._client.interrupt()
            except Exception as exc:  # noqa: BLE001 (the SDK raises many things, a bare Exception too)
                return f"Claude could not be interrupted: {str(exc) or type(exc).__name__}"
        return None

    async def set_mode(self, mode: str) -> None:
        """Change Claude's permission mode. Raises RequestFailed."""
        try:
            await self._client.set_permission_mode(mode)
        except Exception as exc:
            raise RequestFailed(f"Claude did not change its mode: {exc}") from exc

    # --- Claude's messages ---

    async def _read(self) -> None:
        """Take every message as it comes; outside of a prompt it is of Claude's own turn."""
        try:
            async for message in self._client.receive_messages():
                if self._prompt_id is not None:
                    await self._messages.put(message)
                elif isinstance(message, sdk.ResultMessage):
                    await self._told_usage(message, _meta=OWN_END)
                else:
                    await self._transcript.show(message)
        except Exception as exc:  # noqa: BLE001 (whatever ended the CLI ends this agent)
            sys.stderr.write(f"Claude's CLI ended: {exc}\n")
        sys.stderr.flush()
        os._exit(1)

    # --- the end of a turn ---

    def _is_for_another_turn(self, result: Any) -> bool:
        ids = [*(result.user_message_uuids or []), result.user_message_uuid]
        return any(ids) and self._prompt_id not in ids

    async def _finish(self, result: Any) -> str:
        self._chat.facts["claude"] = result.session_id
        self._agent.save(self._chat)
        self._chat.usage = usage_of(result.usage)
        await self._told_usage(result)
        if self._is_cancelled:
            return "cancelled"
        if result.is_error:
            raise RequestFailed(result.result or "; ".join(result.errors or []) or result.subtype)
        return {"max_tokens": "max_tokens", "refusal": "refusal"}.get(
            result.stop_reason or "", "end_turn"
        )

    async def _told_usage(self, result: Any, **fields: Any) -> None:
        """Tell how full the context is, and the costs so far."""
        cost = {"amount": result.total_cost_usd or 0.0, "currency": "USD"}
        window = max((m["contextWindow"] for m in (result.model_usage or {}).values()), default=0)
        counts = usage_of(result.usage)
        used = counts["inputTokens"] if counts else 0
        await self._chat.update("usage_update", used=used, size=window, cost=cost, **fields)


async def _one(text: str, prompt_id: str) -> AsyncIterator[Json]:
    yield {
        "type": "user",
        "message": {"role": "user", "content": text},
        "parent_tool_use_id": None,
        "uuid": prompt_id,
    }


def _complain(said: list[str], line: str) -> None:
    said.append(line)
    del said[:-10]
    sys.stderr.write(f"{line}\n")


async def _main() -> None:
    await ClaudeAgent().serve()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main())
