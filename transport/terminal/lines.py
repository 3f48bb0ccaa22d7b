"""What an event says, as a line for a terminal. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

Event = Mapping[str, Any]


def line_of(event: Event) -> str:
    """Return the line that an event is by itself; "" for what streams, and what says nothing."""
    say = _LINES.get(event["type"])
    return say(event) if say is not None else ""


def lines_of(events: Iterable[Event]) -> Iterator[str]:
    """Yield what a run of events says, which may begin in the middle of an answer.

    A block is told by its end: that has the whole of it, and deltas may be pruned.
    """
    kinds: dict[str, str] = {}
    for event in events:
        if event["type"] == "block_start":
            kinds[event["blockId"]] = event["blockType"]
        line = line_of(event)
        if event["type"] == "block_end" and kinds.get(event["blockId"], "text") != "tool_use":
            line = event["content"]
        if line:
            yield line


def _block(event: Event) -> str:
    kind = event["blockType"]
    name = event.get("toolName", "tool") if kind == "tool_use" else kind
    return "" if kind == "text" else f"[{name}]"


def _ending(event: Event) -> str:
    reason = event["stopReason"]
    return "" if reason == "end_turn" else f"[{reason}] {event.get('error', '')}".rstrip()


_LINES: Final[dict[str, Callable[[Event], str]]] = {
    "user_message": lambda e: f"> {e['text']}",
    "block_start": _block,
    "tool_result": lambda e: f"[{e['status']}] {e['content']}",
    "permission_request": lambda e: f"? {e['title']}",
    "permission_resolved": lambda e: f"[{e['decision']}, {e['reason']}]",
    "turn_end": _ending,
    "error": lambda e: f"! {e['error']}",
    "interrupt_failed": lambda e: f"! {e['error']}",
}
