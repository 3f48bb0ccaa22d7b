"""Events as lines for a terminal. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from sessions.text.asking import inset, lines_of_request, one_line

Event = Mapping[str, Any]


def lines_of(event: Event) -> Iterator[str]:
    """Yield the lines that an event is by itself; none for one that streams, or says nothing."""
    say = _LINES.get(event["type"])
    if say is not None:
        yield from say(event)


def lines_of_all(events: Iterable[Event]) -> Iterator[str]:
    """Yield the lines of a run of events, which may begin in the middle of an answer.

    A block is shown by its end: that has the whole of it, and deltas may be pruned.
    """
    kinds: dict[str, str] = {}
    for event in events:
        if event["type"] == "block_start":
            kinds[event["blockId"]] = event["blockType"]
        if event["type"] == "block_end" and kinds.get(event["blockId"], "text") != "tool_use":
            yield event["content"]
        yield from lines_of(event)


def request_lines(request: Event) -> Iterator[str]:
    """Yield a permission request with the whole input of its tool."""
    yield from lines_of_request(
        tool=request["toolName"], title=request["title"], details=request["input"]
    )


def _block(event: Event) -> Iterator[str]:
    kind = event["blockType"]
    if kind != "text":
        yield f"[{one_line(event.get('toolName', 'tool') if kind == 'tool_use' else kind)}]"


def _ending(event: Event) -> Iterator[str]:
    reason = event["stopReason"]
    if reason != "end_turn":
        yield f"[{reason}] {inset(event.get('error', ''))}".rstrip()


def _resolution(event: Event) -> Iterator[str]:
    yield f"[{one_line(event['decision'])}, {event['reason']}]"


def _failure(event: Event) -> Iterator[str]:
    yield f"! {inset(event['error'])}"


_LINES: Final[dict[str, Callable[[Event], Iterator[str]]]] = {
    "user_message": lambda e: iter([f"> {e['text']}"]),
    "block_start": _block,
    "tool_result": lambda e: iter([f"[{one_line(e['status'])}] {e['content']}"]),
    "permission_request": request_lines,
    "permission_resolved": _resolution,
    "turn_end": _ending,
    "error": _failure,
    "interrupt_failed": _failure,
}
