"""ACP updates but those of tools → typed updates: pure, tolerant of unknown words and types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sessions.agents import port
from sessions.agents.acp import modes
from sessions.agents.acp.content import block_text
from sessions.agents.acp.labels import fits, label

MAX_TITLE_CHARS = 200  # the column of a session's title

Json = dict[str, Any]
Delta = port.TextDelta | port.ThinkingDelta

DELTAS: dict[str, Callable[[str], Delta]] = {
    "agent_message_chunk": port.TextDelta,
    "agent_thought_chunk": port.ThinkingDelta,
}
# Updates that the chat does not show.
SILENT = frozenset({"available_commands_update", "usage_update", "user_message_chunk"})

PLAN_STATUSES = frozenset({"pending", "in_progress", "completed"})
PLAN_PRIORITIES = frozenset({"high", "medium", "low"})

STOP_REASONS: dict[str, port.TurnDone] = {
    "end_turn": port.TurnDone("end_turn"),
    "max_tokens": port.TurnDone("max_tokens"),
    "refusal": port.TurnDone("refusal"),
    "cancelled": port.TurnDone("interrupted"),
    "max_turn_requests": port.TurnDone(
        "error", "The agent reached its limit of model requests for one turn."
    ),
}


class NotUnderstood(Exception):
    """An update that cannot be shown; the text names it."""


def kind_of(update: Json) -> str:
    """Return the kind of an update. Raises NotUnderstood."""
    kind = update.get("sessionUpdate")
    if not isinstance(kind, str):
        raise NotUnderstood("an update without a kind")
    return kind


def delta(kind: str, update: Json) -> Delta | None:
    """Return the text or thinking of a chunk; None for an empty one. Raises NotUnderstood.

    The hot path: no copy is made, and the text is not clean yet.
    """
    content = update.get("content")
    text = block_text(content)
    if text:
        return DELTAS[kind](text)
    if isinstance(content, dict) and content.get("text") == "":
        return None
    raise NotUnderstood(f"{label(kind)} without text")


def translate(kind: str, update: Json) -> list[port.Update]:
    """Return the typed updates of an update; [] where there is nothing to show.

    Raises NotUnderstood for an unknown kind and for wrong types.
    """
    match kind:
        case "plan":
            return [_plan(update.get("entries"))]
        case "current_mode_update":
            return _mode(update.get("currentModeId"))
        case "config_option_update":
            return _mode(modes.told(update.get("configOptions")))
        case "session_info_update":
            title = update.get("title")
            return [port.TitleChanged(str(title)[:MAX_TITLE_CHARS])] if _is_text(title) else []
    if kind in SILENT:
        return []
    raise NotUnderstood(label(kind))


def turn_done(result: Json) -> port.TurnDone:
    """Return the end of a turn that a prompt's answer tells."""
    reason = str(result.get("stopReason"))
    return STOP_REASONS.get(reason) or port.TurnDone(
        "error", f"The agent gave no known stop reason ({reason[:80]})."
    )


def _plan(entries: Any) -> port.PlanUpdate:
    if not isinstance(entries, list):
        raise NotUnderstood("plan without entries")
    steps = [step for step in entries if isinstance(step, dict) and _is_text(step.get("content"))]
    return port.PlanUpdate(
        tuple(
            port.PlanEntry(
                label(step["content"]),
                _known(step.get("status"), PLAN_STATUSES, "pending"),
                _known(step.get("priority"), PLAN_PRIORITIES, "medium"),
            )
            for step in steps
        )
    )


def _mode(mode: Any) -> list[port.Update]:
    return [port.ModeChanged(mode)] if isinstance(mode, str) and fits(mode) else []


def _known(word: Any, words: frozenset[str], otherwise: str) -> str:
    return word if isinstance(word, str) and word in words else otherwise


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)
