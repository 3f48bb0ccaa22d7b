"""The action that a person approves: the input of a tool call, diffs, paths, text. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from sessions.agents.acp.translation.labels import MAX_LABEL_CHARS
from sessions.agents.acp.translation.tools.shown import MAX_ITEMS

# Of an input, which is stored twice (with its block and with a request); the rest is cut.
MAX_INPUT_CHARS: Final = 100_000
# Fields of codex' own events that say nothing to a person. A tool of another agent may have an
# argument of such a name, and a person must see it: the file that is copied, the process that ends.
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

_PLACE: Final = re.compile(r":\d+$")

Changes = list[dict[str, str]]


def bounded_input(raw: Any) -> Any:
    """Return a tool's input without codex' notes for itself; of a large one the beginning."""
    if isinstance(raw, dict) and _is_of_codex(raw):
        raw = {name: value for name, value in raw.items() if name not in NOTES}
    text = json.dumps(raw, default=str)
    return raw if len(text) <= MAX_INPUT_CHARS else {"truncated": text[:MAX_INPUT_CHARS]}


def with_title(tool_input: Any, title: str) -> Any:
    """Return an input beside a title that does not fit a label, whose end it does not hold."""
    if tool_input is None:
        return {"title": title}
    end = title[MAX_LABEL_CHARS - 1 :].strip("` \n")
    return (
        tool_input if _is_in(end, list(_strings(tool_input))) else _beside(tool_input, title=title)
    )


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
            if at >= MAX_ITEMS or not _is_held(change, held)
        ],
        "paths": [path for path in paths if not _is_in(_PLACE.sub("", path), held)],
        "content": "" if _is_in(text, held) else text,
    }
    more = {name: value for name, value in more.items() if value}
    return _beside(tool_input, **more) if more else tool_input


def _beside(tool_input: Any, **more: Any) -> Any:
    """Return an input with more fields, each under a name that it does not use."""
    if tool_input is None:
        return bounded_input(more)
    own = tool_input if isinstance(tool_input, dict) else {"input": tool_input}
    return bounded_input(own | {_free(name, own): value for name, value in more.items()})


def _is_of_codex(raw: dict[str, Any]) -> bool:
    """Return whether an input is an event of codex: of a command, or of changes of files."""
    has_ids = all(isinstance(raw.get(name), str) for name in ("call_id", "turn_id"))
    return has_ids and ("command" in raw or "changes" in raw)


def _is_held(change: dict[str, str], held: list[str]) -> bool:
    """Return whether the input has the new text. A deletion has none, so it always comes along."""
    text = change.get("newText", "")
    return bool(text) and _is_in(text, held)


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
