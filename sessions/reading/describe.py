"""Events as records, in one line each: the admin's list of a log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sessions.eventlog.events import EventType
from sessions.eventlog.shapes import Payload

MAX_CHARS: Final = 240


def describe(event_type: str, payload: Payload) -> str:
    """Return an event as one line of at most MAX_CHARS; any type, any payload."""
    known = _LINES.get(event_type)
    try:
        line = known(payload) if known else _fields(payload)
    except KeyError:  # an event of another version: its fields speak for themselves
        line = _fields(payload)
    line = " ".join(line.split())
    return line if len(line) <= MAX_CHARS else f"{line[: MAX_CHARS - 1]}…"


def _fields(payload: Payload) -> str:
    return ", ".join(f"{name}: {_short(value)}" for name, value in payload.items())


def _short(value: Any) -> str:
    return str(value)[: MAX_CHARS + 1]


def _quoted(text: str) -> str:
    return f"“{text[: MAX_CHARS + 1]}”"


def _tool(payload: Payload) -> str:
    name = payload.get("toolName")
    return f" {name}" if name else ""


def _error(payload: Payload) -> str:
    return f": {payload['error']}" if payload.get("error") else ""


def _usage(payload: Payload) -> str:
    cost = f", {payload['costUsd']:.4f} USD" if payload.get("costUsd") else ""
    read = payload["inputTokens"]
    return f"{read} {'token' if read == 1 else 'tokens'} in, {payload['outputTokens']} out{cost}"


def _modes(payload: Payload) -> str:
    offered = ", ".join(mode["id"] for mode in payload["modes"]) or "none"
    return f"{'resumed' if payload['resumed'] else 'new'}, modes: {offered}"


_LINES: Final[dict[str, Callable[[Payload], str]]] = {
    EventType.SESSION_CREATED: lambda p: f"{p['agent']} in {p['cwd']} {_quoted(p['title'])}",
    EventType.SESSION_STATE_CHANGED: lambda p: f"{p['from']} → {p['state']} ({p['reason']})",
    EventType.USER_MESSAGE: lambda p: _quoted(p["text"]),
    EventType.PROMPT_WITHDRAWN: lambda p: f"prompt {p['clientMsgId']} by {p['by']}",
    EventType.PROMPT_EDITED: lambda p: (
        f"prompt {p['clientMsgId']} by {p['by']} {_quoted(p['text'])}"
    ),
    EventType.QUEUE_REORDERED: lambda p: f"by {p['by']}: {', '.join(p['clientMsgIds'])}",
    EventType.TURN_START: lambda p: f"for prompt {p['clientMsgId']}",
    EventType.MESSAGE_START: lambda p: f"{p['role']} {p['messageId']}",
    EventType.BLOCK_START: lambda p: f"{p['blockType']}{_tool(p)}",
    EventType.BLOCK_DELTA: lambda p: _quoted(p["delta"]),
    EventType.BLOCK_END: lambda p: f"{len(p['content'])} characters {_quoted(p['content'])}",
    EventType.TOOL_UPDATE: lambda p: f"{p['toolId']} {_quoted(p.get('title', ''))}",
    EventType.TOOL_RESULT: lambda p: f"{p['status']} {_quoted(p['content'])}",
    EventType.MESSAGE_END: lambda p: str(p["messageId"]),
    EventType.PERMISSION_REQUEST: lambda p: f"{p['toolName']}: {p['title']}",
    EventType.PERMISSION_RESOLVED: lambda p: f"{p['decision']} by {p['by']} ({p['reason']})",
    EventType.REQUEST_REMINDED: lambda p: f"{p['title']} until {p['expiresAt']}",
    EventType.USAGE: _usage,
    EventType.TURN_END: lambda p: f"{p['stopReason']}{_error(p)}",
    EventType.INTERRUPT_REQUESTED: lambda p: f"by {p['by']}{', agent to end' if p['stop'] else ''}",
    EventType.INTERRUPT_FAILED: lambda p: f"{p['code']}{_error(p)}, next: {p['escalation']}",
    EventType.AGENT_STARTED: _modes,
    EventType.MODE_CHANGED: lambda p: f"{p['mode']} by {p['by']}",
    EventType.TITLE_CHANGED: lambda p: _quoted(p["title"]),
    EventType.ERROR: lambda p: f"{p['code']}{_error(p)}",
}
