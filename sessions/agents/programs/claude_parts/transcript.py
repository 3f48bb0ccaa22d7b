"""The messages of Claude's CLI → the updates of ACP, those of subagents beside its own."""

from __future__ import annotations

from typing import Any

import claude_agent_sdk as sdk

from sessions.agents.programs.claude_parts.messages import of_parent, result_content, tool_of
from sessions.agents.programs.stdio import Chat, Json


class Transcript:
    """The updates of one session."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._has_streamed = False
        self._edits: set[str] = set()  # the calls that have shown a change

    async def show(self, message: Any) -> None:
        """Tell a message. The pieces of a subagent's text come again as a whole."""
        parent = getattr(message, "parent_tool_use_id", None) or ""
        match message:
            case sdk.StreamEvent(event=event) if not parent:
                await self._stream(event)
            case sdk.AssistantMessage(content=blocks):
                for block in blocks:
                    await self._block(block, parent)
                if not parent:
                    self._has_streamed = False
            case sdk.UserMessage(content=list(blocks)):
                for block in blocks:
                    if isinstance(block, sdk.ToolResultBlock):
                        await self._tool_result(block, parent)

    async def _stream(self, event: Json) -> None:
        if event.get("type") != "content_block_delta":
            return
        delta = event["delta"]
        if delta["type"] == "text_delta":
            self._has_streamed = True
            await self._chat.text(delta["text"])
        elif delta["type"] == "thinking_delta":
            await self._chat.thinking(delta["thinking"])

    async def _block(self, block: Any, parent: str) -> None:
        match block:
            case sdk.ToolUseBlock():
                tool = tool_of(block.id, block.name, block.input, parent)
                if "content" in tool:
                    self._edits.add(block.id)
                await self._chat.update("tool_call", **tool, status="pending")
            case sdk.TextBlock(text=text) if parent:
                words = {"type": "text", "text": text}
                await self._chat.update("agent_message_chunk", content=words, **of_parent(parent))
            case sdk.TextBlock(text=text) if not self._has_streamed:
                await self._chat.text(text)  # the CLI's own words, as on an error of the API

    async def _tool_result(self, block: Any, parent: str) -> None:
        # Content would replace a change that was made.
        is_shown = block.tool_use_id in self._edits and not block.is_error
        self._edits.discard(block.tool_use_id)
        await self._chat.update(
            "tool_call_update",
            toolCallId=block.tool_use_id,
            status="failed" if block.is_error else "completed",
            **({} if is_shown else {"content": result_content(block.content)}),
            **of_parent(parent),
        )
