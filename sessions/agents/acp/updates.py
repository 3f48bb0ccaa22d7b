"""ACP messages → typed updates: pure, tolerant of what agents were seen to leave out."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeGuard

from acp.schema import (
    AgentPlanUpdate,
    ConfigOptionUpdate,
    CurrentModeUpdate,
    PermissionOption,
    SessionInfoUpdate,
    SessionNotification,
    ToolCallProgress,
    ToolCallStart,
    ToolCallUpdate,
    UsageUpdate,
)
from pydantic import ValidationError

from sessions.agents import port
from sessions.agents.acp import modes
from sessions.agents.acp.labels import MAX_CHOICES, label, short_id

# What is kept of one tool's result; a command can print gigabytes.
MAX_RESULT_CHARS = 200_000
# Of a tool's input, which is stored twice (with its block and with a request); more of it is cut.
MAX_INPUT_CHARS = 100_000

# Fields of codex' inputs that say nothing to a person.
NOTES = frozenset(
    {
        "available_decisions",
        "call_id",
        "parsed_cmd",
        "process_id",
        "proposed_execpolicy_amendment",
        "source",
        "started_at_ms",
        "turn_id",
    }
)

GEMINI_COUNTS = {"inputTokens": "input_tokens", "outputTokens": "output_tokens"}
# JavaScript's largest exact integer; and more than anybody pays, so that sums stay finite.
MAX_COUNT = 2**53 - 1
MAX_COST_USD = 1e9
MAX_TITLE_CHARS = 200  # what the row of a session holds
INPUT_COUNTS = ("inputTokens", "cachedReadTokens", "cachedWriteTokens")

Delta = port.TextDelta | port.ThinkingDelta
DELTAS: dict[str, Callable[[str], Delta]] = {
    "agent_message_chunk": port.TextDelta,
    "agent_thought_chunk": port.ThinkingDelta,
}

STOP_REASONS: dict[str, port.TurnDone] = {
    "end_turn": port.TurnDone("end_turn"),
    "max_tokens": port.TurnDone("max_tokens"),
    "refusal": port.TurnDone("refusal"),
    "cancelled": port.TurnDone("interrupted"),
    "max_turn_requests": port.TurnDone(
        "error", "The agent reached its limit of model requests for one turn."
    ),
}


def delta(update: dict[str, Any]) -> Delta | None:
    """Return the text or thinking of a chunk; None when update is none. No model is built.

    This is the hot path.
    """
    make = DELTAS.get(update.get("sessionUpdate", ""))
    content = update.get("content")
    if make is None or not isinstance(content, dict):
        return None
    text = content.get("text") if content.get("type") == "text" else _placeholder(content)
    return make(text) if isinstance(text, str) and text else None


def parse(params: dict[str, Any]) -> Any:
    """Return the library's model of a notification's update; None for one that it does not know."""
    try:
        return SessionNotification.model_validate(params).update
    except ValidationError:
        return None


def translate(update: Any) -> list[port.Update]:
    """Return the typed updates of one parsed update; [] for what the chat does not show."""
    match update:
        case ToolCallStart() | ToolCallProgress():
            return _tool(update)
        case AgentPlanUpdate():
            entries = (
                port.PlanEntry(label(e.content), e.status, e.priority) for e in update.entries
            )
            return [port.PlanUpdate(tuple(entries))]
        case CurrentModeUpdate() if modes.fits(update.current_mode_id):
            return [port.ModeChanged(update.current_mode_id)]
        case ConfigOptionUpdate() if mode := modes.current(update.config_options):
            return [port.ModeChanged(mode)]
        case SessionInfoUpdate() if update.title:
            return [port.TitleChanged(update.title[:MAX_TITLE_CHARS])]
    return []


def tool_call(update: ToolCallStart | ToolCallUpdate) -> port.ToolCall:
    """Return what is known of a tool call; fields that the agent left out are empty."""
    return _tool_call(update, update.title or "")


def _tool_call(update: ToolCallStart | ToolCallUpdate, title: str) -> port.ToolCall:
    return port.ToolCall(
        tool_id=short_id(update.tool_call_id),
        name=label(_tool_name(update)),
        kind=label(update.kind or ""),
        title=label(title),
        input=_input(update.raw_input, title),
    )


def permission(
    perm_id: str, call: ToolCallUpdate, options: Sequence[PermissionOption]
) -> port.PermissionAsked:
    """Return the request as an update that carries the tool too.

    Agents ask without announcing the tool first.
    """
    tool = _tool_call(call, call.title or result_text(call))
    return port.PermissionAsked(
        perm_id=perm_id,
        tool_id=tool.tool_id,
        tool_name=tool.name,
        title=tool.title,
        input=tool.input,
        options=tuple(
            port.PermissionOption(short_id(o.option_id), o.kind, label(o.name))
            for o in options[:MAX_CHOICES]
        ),
        tool_kind=tool.kind,
    )


def turn_done(result: dict[str, Any]) -> port.TurnDone:
    """Return how a prompt's answer ends the turn."""
    reason = str(result.get("stopReason"))
    return STOP_REASONS.get(reason) or port.TurnDone(
        "error", f"The agent gave no known stop reason ({reason[:80]})."
    )


def counts(result: dict[str, Any]) -> dict[str, int]:
    """Return the tokens that a prompt's answer tells: in ACP's place, or in Gemini's."""
    said = _dict(result, "usage")
    if not said:
        told = _dict(result, "_meta", "quota", "token_count")
        said = {ours: told.get(theirs) for ours, theirs in GEMINI_COUNTS.items()}
    return {name: value for name, value in said.items() if _is_count(value)}


def add_counts(total: dict[str, int], update: dict[str, Any]) -> None:
    """Add to total the tokens of one request to the model, which Qwen tells beside its text."""
    told = _dict(update, "_meta", "usage")
    for name in GEMINI_COUNTS:  # what it read from a cache is part of its input
        if _is_count(value := told.get(name)):
            total[name] = total.get(name, 0) + value


def total_cost(update: dict[str, Any]) -> float | None:
    """Return the dollars that a usage update tells for the whole session; None for none."""
    cost = _dict(update, "cost")
    amount = cost.get("amount")
    if update.get("sessionUpdate") != "usage_update" or cost.get("currency") != "USD":
        return None
    if not isinstance(amount, int | float) or isinstance(amount, bool):
        return None
    return float(amount) if 0 <= amount <= MAX_COST_USD else None


def _is_count(value: Any) -> TypeGuard[int]:
    """Return whether value counts something: True, -1 and 1.0 do not."""
    return type(value) is int and 0 <= value <= MAX_COUNT


def usage(
    counts: dict[str, int], seen: UsageUpdate | None, *, cost_usd: float | None
) -> port.Usage | None:
    """Return what a turn used: its counted tokens, the last usage update, its own cost.

    None when nothing is known.
    """
    if not counts and seen is None and cost_usd is None:
        return None
    used = seen.used if seen and _is_count(seen.used) else 0
    return port.Usage(
        # Without counts, what the context holds is the least that the turn has read.
        input_tokens=sum(counts.get(name, 0) for name in INPUT_COUNTS) if counts else used,
        output_tokens=counts.get("outputTokens", 0),
        cost_usd=cost_usd,
        context_window=seen.size if seen and _is_count(seen.size) else None,
    )


def result_text(update: ToolCallStart | ToolCallUpdate) -> str:
    """Return a tool's content as text: output, a diff's path and new text, or its raw output.

    Raw text goes before content, which some agents dress up with fences or headings.
    """
    content = update.content or ()
    raw = update.raw_output
    if isinstance(raw, str) and raw and not any(item.type == "diff" for item in content):
        return _cut(raw)
    text = "\n".join(part for item in content if (part := _content_text(item)))
    if not text and raw is not None:
        text = _raw_text(raw)
    return _cut(text)


def _tool(update: ToolCallStart | ToolCallProgress) -> list[port.Update]:
    updates: list[port.Update] = [tool_call(update)]
    if update.status in ("completed", "failed"):
        status: port.ToolStatus = "completed" if update.status == "completed" else "failed"
        updates.append(port.ToolDone(short_id(update.tool_call_id), status, result_text(update)))
    return updates


def _tool_name(update: ToolCallStart | ToolCallUpdate) -> str:
    """ACP has no tool name: Claude and Qwen send it as meta, for others the kind must do."""
    meta = update.field_meta or {}
    name = _dict(meta, "claudeCode").get("toolName") or meta.get("toolName")
    return str(name) if name else (update.kind or "")


def _content_text(item: Any) -> str:
    if item.type == "content":
        return item.content.text if item.content.type == "text" else f"[{item.content.type}]"
    if item.type == "diff":
        return f"{item.path}\n{item.new_text}"
    return ""  # a terminal of the client: we offer none


def _raw_text(raw: Any) -> str:
    """Return what a tool printed, where its raw output has it under a known name."""
    if isinstance(raw, str):
        return raw
    if isinstance(raw, dict):
        for name in ("formatted_output", "aggregated_output", "output", "stdout"):
            if isinstance(raw.get(name), str):
                return str(raw[name])
    return json.dumps(raw, indent=2, default=str)


def _placeholder(content: dict[str, Any]) -> str:
    return f"[{content.get('type', 'content')}]"


def _input(raw: Any, title: str) -> Any:
    """Return a tool's input without what an agent notes for itself; of a large one the beginning.

    Without one, a title that does not fit a label: a person must see all that is to be permitted.
    """
    if raw is None:
        return {"title": title[:MAX_INPUT_CHARS]} if label(title) != title else None
    if isinstance(raw, dict):
        raw = {name: value for name, value in raw.items() if name not in NOTES}
    text = json.dumps(raw, default=str)
    return raw if len(text) <= MAX_INPUT_CHARS else {"truncated": text[:MAX_INPUT_CHARS]}


def _dict(value: Any, *path: str) -> dict[str, Any]:
    """Return the object at a path; {} where there is none."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _cut(text: str) -> str:
    if len(text) <= MAX_RESULT_CHARS:
        return text
    return f"{text[:MAX_RESULT_CHARS]}\n… {len(text) - MAX_RESULT_CHARS} more characters"
