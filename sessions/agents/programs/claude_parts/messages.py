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
    "Agent": "think",
    "ExitPlanMode": "switch_mode",
    "Task": "think",
}

EDITS = frozenset({"Edit", "MultiEdit", "Write"})
# Titles of calls whose arguments have none.
TITLES = {"AskUserQuestion": "Questions", "ExitPlanMode": "Approve the plan?"}


def kind_of(tool: str) -> str:
    """Return ACP's kind of one of Claude's tools."""
    return KINDS.get(tool, "other")


def result_content(content: str | list[Json] | None) -> list[Json]:
    """Return a tool's result as ACP's content blocks."""
    if content is None:
        return []
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return [{"type": "content", "content": _block(part)} for part in parts]


def _block(part: Json) -> Json:
    source = part.get("source")
    if part.get("type") == "image" and isinstance(source, dict) and "data" in source:
        return {"type": "image", "data": source["data"], "mimeType": source.get("media_type", "")}
    text = part["text"] if part.get("type") == "text" else f"[{part.get('type')}]"
    return {"type": "text", "text": text}


def tool_of(tool_id: str, name: str, arguments: Json, parent: str = "") -> Json:
    """Return the fields of a tool call. parent: the call of the subagent that makes it."""
    title = arguments.get("command") or arguments.get("file_path") or arguments.get("pattern")
    words: Json = {"toolName": name} | ({"parentToolUseId": parent} if parent else {})
    return {
        "toolCallId": tool_id,
        "title": str(title) if title else TITLES.get(name, name),
        "kind": kind_of(name),
        "rawInput": arguments,
        "_meta": {"claudeCode": words},
        **_change(name, arguments),
    }


def _change(name: str, arguments: Json) -> Json:
    """Return the diffs and the place of a call that changes a file; nothing of another one."""
    path, edits = arguments.get("file_path"), arguments.get("edits")
    if name not in EDITS or not isinstance(path, str):
        return {}
    parts = edits if isinstance(edits, list) else [arguments]
    diffs = [
        {"type": "diff", "path": path, "oldText": part.get("old_string"), "newText": new}
        for part in parts
        if isinstance(part, dict)
        and isinstance(new := part.get("new_string", part.get("content")), str)
    ]
    return {"content": diffs, "locations": [{"path": path}]}


def of_parent(parent: str) -> Json:
    """Return the field of an update that names the call of its subagent; none for ""."""
    return {"_meta": {"claudeCode": {"parentToolUseId": parent}}} if parent else {}


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


def servers_of(told: list[Json]) -> dict[str, Json]:
    """Return MCP servers of ACP, by their names, as Claude's options have them."""
    return {server["name"]: _server(server) for server in told}


def _server(server: Json) -> Json:
    if "command" in server:
        env = {one["name"]: one["value"] for one in server.get("env", [])}
        return {"command": server["command"], "args": server.get("args", []), "env": env}
    headers = {one["name"]: one["value"] for one in server.get("headers", [])}
    return {"type": server.get("type", "http"), "url": server["url"], "headers": headers}
