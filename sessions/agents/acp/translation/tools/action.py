"""The action that a person approves: the input of a tool call, diffs, paths, text. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from sessions.agents.acp.translation.tools.shown import MAX_ITEMS

# Of an input, which is stored twice (with its block and with a request); the rest is cut.
MAX_INPUT_CHARS: Final = 100_000
# Fields of codex' inputs that say nothing to a person.
NOTES: Final = frozenset(
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

Changes = list[dict[str, str]]


def bounded_input(raw: Any) -> Any:
    """Return a tool's input without an agent's notes for itself; of a large one the beginning."""
    if isinstance(raw, dict):
        raw = {name: value for name, value in raw.items() if name not in NOTES}
    text = json.dumps(raw, default=str)
    return raw if len(text) <= MAX_INPUT_CHARS else {"truncated": text[:MAX_INPUT_CHARS]}


def action_of(tool_input: Any, *, changes: Changes, paths: list[str], text: str) -> Any:
    """Return the input, with the diffs, paths and text that it does not hold itself.

    Changes behind the first MAX_ITEMS are drawn nowhere else: they always come with it. None when
    nothing is known of the action.
    """
    held = list(_strings(tool_input))
    more: dict[str, Any] = {
        "changes": [
            change
            for at, change in enumerate(changes)
            if at >= MAX_ITEMS or not _is_in(change.get("newText", ""), held)
        ],
        "paths": [path for path in paths if not _is_in(path.rpartition(":")[0] or path, held)],
        "content": "" if _is_in(text, held) else text,
    }
    more = {name: value for name, value in more.items() if value}
    if not more:
        return tool_input
    if tool_input is None:
        return bounded_input(more)
    own = tool_input if isinstance(tool_input, dict) else {"input": tool_input}
    return bounded_input(own | {_free(name, own): value for name, value in more.items()})


def _free(name: str, own: dict[str, Any]) -> str:
    """Return a name for a field that the input does not use."""
    return name if name not in own else f"{name} (told beside the input)"


def _is_in(text: str, held: list[str]) -> bool:
    return any(text in one for one in held)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
