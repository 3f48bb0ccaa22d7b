"""Events as records, in one line each: the admin's list of a log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from sessions.eventlog.events import Json

MAX_CHARS: Final = 240


def describe(event_type: str, payload: Json) -> str:
    """Return what an event says, in one line of at most MAX_CHARS; any type, any payload."""
    known = _LINES.get(event_type)
    try:
        line = known(payload) if known else _fields(payload)
    except KeyError:  # an event of another version: its fields speak for themselves
        line = _fields(payload)
    line = " ".join(line.split())
    return line if len(line) <= MAX_CHARS else f"{line[: MAX_CHARS - 1]}…"


def _fields(payload: Json) -> str:
    return ", ".join(f"{name}: {_short(value)}" for name, value in payload.items())


def _short(value: Any) -> str:
    return str(value)[: MAX_CHARS + 1]


def _quoted(text: str) -> str:
    return f"“{text[: MAX_CHARS + 1]}”"


def _tool(payload: Json) -> str:
    name = payload.get("toolName")
    return f" {name}" if name else ""


def _error(payload: Json) -> str:
    return f": {payload['error']}" if payload.get("error") else ""


def _usage(payload: Json) -> str:
    cost = f", {payload['costUsd']:.4f} USD" if payload.get("costUsd") else ""
    return f"{payload['inputTokens']} tokens in, {payload['outputTokens']} out{cost}"


def _modes(payload: Json) -> str:
    offered = ", ".join(mode["id"] for mode in payload["modes"]) or "none"
    return f"{'resumed' if payload['resumed'] else 'new'}, modes: {offered}"


_LINES: Final[dict[str, Callable[[Json], str]]] = {
    "session_created": lambda p: f"{p['agent']} in {p['cwd']} {_quoted(p['title'])}",
    "session_state_changed": lambda p: f"{p['from']} → {p['state']} ({p['reason']})",
    "user_message": lambda p: _quoted(p["text"]),
    "turn_start": lambda p: f"for prompt {p['clientMsgId']}",
    "message_start": lambda p: f"{p['role']} {p['messageId']}",
    "block_start": lambda p: f"{p['blockType']}{_tool(p)}",
    "block_delta": lambda p: _quoted(p["delta"]),
    "block_end": lambda p: f"{len(p['content'])} characters {_quoted(p['content'])}",
    "tool_result": lambda p: f"{p['status']} {_quoted(p['content'])}",
    "message_end": lambda p: str(p["messageId"]),
    "permission_request": lambda p: f"{p['toolName']}: {p['title']}",
    "permission_resolved": lambda p: f"{p['decision']} by {p['by']} ({p['reason']})",
    "usage": _usage,
    "turn_end": lambda p: f"{p['stopReason']}{_error(p)}",
    "interrupt_requested": lambda p: f"by {p['by']}{', agent to end' if p['stop'] else ''}",
    "interrupt_failed": lambda p: f"{p['code']}{_error(p)}, next: {p['escalation']}",
    "agent_started": _modes,
    "mode_changed": lambda p: f"{p['mode']} by {p['by']}",
    "title_changed": lambda p: _quoted(p["title"]),
    "error": lambda p: f"{p['code']}{_error(p)}",
}
