"""Claude's words → ACP's: kinds of tools, results, usage. Pure, and without the SDK."""

from __future__ import annotations

from typing import Any

from sessions.agents.programs.stdio import Json

KINDS = {
    "Bash": "execute",
    "Edit": "edit",
    "Write": "edit",
    "NotebookEdit": "edit",
    "Read": "read",
    "Glob": "search",
    "Grep": "search",
    "WebFetch": "fetch",
    "WebSearch": "fetch",
    "Task": "think",
}


def kind_of(tool: str) -> str:
    """Return ACP's kind of one of Claude's tools."""
    return KINDS.get(tool, "other")


def result_content(content: str | list[Json] | None) -> list[Json]:
    """Return a tool's result as ACP's content blocks."""
    if content is None:
        return []
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    texts = [
        part["text"] if part.get("type") == "text" else f"[{part.get('type')}]" for part in parts
    ]
    return [{"type": "content", "content": {"type": "text", "text": text}} for text in texts]


def usage_of(usage: dict[str, Any] | None) -> Json | None:
    """Return a result's usage as ACP's."""
    if not usage:
        return None
    read = usage.get("cache_read_input_tokens") or 0
    written = usage.get("cache_creation_input_tokens") or 0
    fresh, output = usage.get("input_tokens") or 0, usage.get("output_tokens") or 0
    return {
        "inputTokens": fresh,
        "outputTokens": output,
        "cachedReadTokens": read,
        "cachedWriteTokens": written,
        "totalTokens": fresh + output + read + written,
    }
