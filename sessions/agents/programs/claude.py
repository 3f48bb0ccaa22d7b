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

from sessions.agents.programs.claude_messages import kind_of, result_content, usage_of
from sessions.agents.programs.stdio import Chat, Json, RequestFailed, StdioAgent

# Below the server's own deadline for an interrupt, so that the reason arrives there.
INTERRUPT_S = 4.0
# The SDK keeps a hundred messages more; after that the CLI waits.
WAITING_MESSAGES = 100

ALLOW_ONCE, ALLOW_ALWAYS, REJECT = "allow_once", "allow_always", "reject_once"


class ClaudeAgent(StdioAgent):
    """One SDK client, and so one CLI, for each session."""

    NAME = "claude"
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
        self._has_streamed = False
        self._client: Any = None
        self._reader: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Start the CLI. Raises RequestFailed with its words."""
        said: list[str] = []
        options: Json = {
            "cwd": self._chat.cwd,
            "resume": self._chat.facts.get("claude"),
            "include_partial_messages": True,
            "can_use_tool": self._may_use,
            "permission_mode": self._chat.mode,
            # A folder's own settings can run commands unasked; a person's settings are theirs.
            "setting_sources": ["user"],
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
                await self._show(message)
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

    # --- what Claude says ---

    async def _read(self) -> None:
        """Take every message as it comes; drop late ones, outside a turn."""
        try:
            async for message in self._client.receive_messages():
                if self._prompt_id is not None:
                    await self._messages.put(message)
        except Exception as exc:  # noqa: BLE001 (whatever ended the CLI ends this agent)
            sys.stderr.write(f"Claude's CLI ended: {exc}\n")
        sys.stderr.flush()
        os._exit(1)

    async def _show(self, message: Any) -> None:
        if getattr(message, "parent_tool_use_id", None) is not None:
            return  # what a sub-agent says is part of its tool's result
        match message:
            case sdk.StreamEvent(event=event):
                await self._stream(event)
            case sdk.AssistantMessage(content=blocks):
                for block in blocks:
                    await self._block(block)
                self._has_streamed = False
            case sdk.UserMessage(content=list(blocks)):
                for block in blocks:
                    if isinstance(block, sdk.ToolResultBlock):
                        await self._tool_result(block)

    async def _stream(self, event: Json) -> None:
        if event.get("type") != "content_block_delta":
            return
        delta = event["delta"]
        if delta["type"] == "text_delta":
            self._has_streamed = True
            await self._chat.text(delta["text"])
        elif delta["type"] == "thinking_delta":
            await self._chat.thinking(delta["thinking"])

    async def _block(self, block: Any) -> None:
        match block:
            case sdk.ToolUseBlock():
                await self._tool_call(block.id, block.name, block.input)
            case sdk.TextBlock(text=text) if not self._has_streamed:
                await self._chat.text(text)  # the CLI's own words, as on an error of the API

    async def _tool_call(self, tool_id: str, name: str, arguments: Json) -> None:
        await self._chat.update("tool_call", **_tool(tool_id, name, arguments), status="pending")

    async def _tool_result(self, block: Any) -> None:
        await self._chat.update(
            "tool_call_update",
            toolCallId=block.tool_use_id,
            status="failed" if block.is_error else "completed",
            content=result_content(block.content),
        )

    async def _may_use(self, name: str, arguments: Json, context: Any) -> Any:
        """Ask the person; the CLI drops this call when it is interrupted."""
        options = [{"optionId": ALLOW_ONCE, "name": "Allow once", "kind": ALLOW_ONCE}]
        if context.suggestions:
            always = {"optionId": ALLOW_ALWAYS, "name": "Always allow this", "kind": ALLOW_ALWAYS}
            options.append(always)
        options.append({"optionId": REJECT, "name": "Reject", "kind": REJECT})
        tool = _tool(context.tool_use_id or uuid.uuid4().hex, name, arguments)
        choice = await self._chat.ask(tool, options)
        if choice == ALLOW_ALWAYS:
            return sdk.PermissionResultAllow(
                updated_input=arguments, updated_permissions=context.suggestions
            )
        if choice == ALLOW_ONCE:
            return sdk.PermissionResultAllow(updated_input=arguments)
        return sdk.PermissionResultDeny(
            message="The person rejected this.", interrupt=choice is None
        )

    # --- the end of a turn ---

    def _is_for_another_turn(self, result: Any) -> bool:
        ids = [*(result.user_message_uuids or []), result.user_message_uuid]
        return any(ids) and self._prompt_id not in ids

    async def _finish(self, result: Any) -> str:
        self._chat.facts["claude"] = result.session_id
        self._agent.save(self._chat)
        self._chat.usage = usage_of(result.usage)
        cost = {"amount": result.total_cost_usd or 0.0, "currency": "USD"}
        window = max((m["contextWindow"] for m in (result.model_usage or {}).values()), default=0)
        used = self._chat.usage["inputTokens"] if self._chat.usage else 0
        await self._chat.update("usage_update", used=used, size=window, cost=cost)
        if self._is_cancelled:
            return "cancelled"
        if result.is_error:
            raise RequestFailed(result.result or "; ".join(result.errors or []) or result.subtype)
        return {"max_tokens": "max_tokens", "refusal": "refusal"}.get(
            result.stop_reason or "", "end_turn"
        )


def _tool(tool_id: str, name: str, arguments: Json) -> Json:
    title = arguments.get("command") or arguments.get("file_path") or arguments.get("pattern")
    return {
        "toolCallId": tool_id,
        "title": str(title) if title else name,
        "kind": kind_of(name),
        "rawInput": arguments,
        "_meta": {"claudeCode": {"toolName": name}},
    }


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
