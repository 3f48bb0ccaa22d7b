"""ACP updates but those of tools → typed updates: pure, tolerant of unknown words and types."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from typing import Any

from pydantic_core import to_json

from sessions.agents import port
from sessions.agents.acp.translation import options
from sessions.agents.acp.translation.content import block_text
from sessions.agents.acp.translation.labels import fits, label
from sessions.agents.content import AgentCommand

MAX_TITLE_CHARS = 200  # the column of a session's title

Json = dict[str, Any]
Delta = port.TextDelta | port.ThinkingDelta

MAX_COMMANDS = 200
# All of them together: they are in each snapshot.
MAX_COMMANDS_BYTES = 64 * 1024
MAX_NOTICE_CHARS = 2000
MAX_TOKENS = 10**12

DELTAS: dict[str, Callable[[str, str], Delta]] = {
    "agent_message_chunk": port.TextDelta,
    "agent_thought_chunk": port.ThinkingDelta,
}
# Updates that the chat does not show.
SILENT = frozenset({"state_update", "user_message", "user_message_chunk"})

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


def parent_of(update: Json) -> str:
    """Return the agent's id of the call of the subagent that an update belongs to, "" for none."""
    meta = update.get("_meta")
    if not isinstance(meta, dict):
        return ""
    claude = meta.get("claudeCode")
    told = claude.get("parentToolUseId") if isinstance(claude, dict) else None
    parent = told or meta.get("parentToolCallId") or meta.get("parentToolUseId")
    return parent if isinstance(parent, str) else ""


def delta(kind: str, update: Json, parent: str) -> Delta | None:
    """Return the text or thinking of a chunk; None for an empty one. Raises NotUnderstood.

    The hot path: no copy is made, and the text is not clean yet.
    """
    content = update.get("content")
    text = block_text(content)
    if text:
        return DELTAS[kind](text, parent)
    if isinstance(content, dict) and content.get("text") == "":
        return None
    raise NotUnderstood(f"{label(kind)} without text")


def translate(kind: str, update: Json) -> list[port.Update]:  # noqa: PLR0911 (a table)
    """Return the typed updates of an update; [] where there is nothing to show.

    Raises NotUnderstood for an unknown kind and for wrong types.
    """
    match kind:
        case "plan":
            return [_plan(update.get("entries"))]
        case "current_mode_update":
            return _mode(update.get("currentModeId"))
        case "config_option_update":
            told = options.parse(update.get("configOptions"))
            return [*_mode(options.mode_of(told)), port.OptionsOffered(told)]
        case "available_commands_update":
            return [port.CommandsOffered(_commands(update.get("availableCommands")))]
        case "usage_update":
            return _context(update.get("used"), update.get("size"))
        case "compaction_update":
            return _notice("compaction", update.get("summary"), update.get("status"))
        case "notice":
            return _notice("notice", update.get("title"), update.get("description"))
        case "session_info_update":
            title = update.get("title")
            return [port.TitleChanged(str(title)[:MAX_TITLE_CHARS])] if _is_text(title) else []
    if kind in SILENT:
        return []
    raise NotUnderstood(label(kind))


def is_receipt(result: Json) -> bool:
    """Return whether an answer to a prompt only says that it was taken, as the v2 draft has it."""
    return "stopReason" not in result and isinstance(result.get("messageId"), str)


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


def _commands(told: Any) -> tuple[AgentCommand, ...]:
    found = []
    for command in told if isinstance(told, list) else ():
        if isinstance(command, dict) and _is_text(command.get("name")):
            about, given = command.get("description"), command.get("input")
            hint = given.get("hint") if isinstance(given, dict) else ""
            words = (about if isinstance(about, str) else "", hint if isinstance(hint, str) else "")
            found.append(AgentCommand(label(command["name"].removeprefix("/")), *map(label, words)))
    sizes = accumulate(len(to_json(command)) + 1 for command in found[:MAX_COMMANDS])
    fitting = sum(1 for size in sizes if size < MAX_COMMANDS_BYTES)
    return tuple(found[:fitting])


def _context(used: Any, size: Any) -> list[port.Update]:
    is_told = all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in (used, size))
    return [port.ContextFill(min(used, MAX_TOKENS), min(size, MAX_TOKENS))] if is_told else []


def _notice(kind: str, *words: Any) -> list[port.Update]:
    text = ": ".join(word for word in words if _is_text(word))
    return [port.AgentNotice(kind, text[:MAX_NOTICE_CHARS])] if text else []


def _known(word: Any, words: frozenset[str], otherwise: str) -> str:
    return word if isinstance(word, str) and word in words else otherwise


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)
