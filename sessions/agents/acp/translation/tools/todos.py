"""A to-do list that an agent keeps by a tool → the plan. Pure."""

from __future__ import annotations

from typing import Any, Final

from sessions.agents.acp.translation.labels import label
from sessions.agents.port import PlanEntry, PlanUpdate

# Names of such tools: claude, opencode, gemini, codex.
TOOLS: Final = frozenset({"todowrite", "todo_write", "write_todos", "update_plan"})
_LISTS: Final = ("todos", "plan")
_TEXTS: Final = ("content", "text", "description", "step")
_STATUSES: Final = frozenset({"pending", "in_progress", "completed"})
_PRIORITIES: Final = frozenset({"high", "medium", "low"})
MAX_ENTRIES: Final = 200


def plan_of(tool: str, tool_input: Any) -> PlanUpdate | None:
    """Return the plan of a tool's input; None for another tool, or one without a list."""
    if tool.lower() not in TOOLS or not isinstance(tool_input, dict):
        return None
    lists = [told for name in _LISTS if isinstance(told := tool_input.get(name), list)]
    if not lists:
        return None
    return PlanUpdate(tuple(_entry(step) for step in lists[0][:MAX_ENTRIES] if _text(step)))


def _entry(step: dict[str, Any]) -> PlanEntry:
    return PlanEntry(
        label(_text(step)),
        _known(step.get("status"), _STATUSES, "pending"),
        _known(step.get("priority"), _PRIORITIES, "medium"),
    )


def _text(step: Any) -> str:
    fields = step if isinstance(step, dict) else {}
    return next((told for name in _TEXTS if isinstance(told := fields.get(name), str)), "")


def _known(word: Any, words: frozenset[str], otherwise: str) -> str:
    return word if isinstance(word, str) and word in words else otherwise
