"""JSON of a request's body, parsed within bounds. Pure.

The parser of the standard library keeps the interpreter to itself for as long as it works: a
second for two megabytes of empty lists. So the values are counted before it begins. Long texts
alone make a body long, and those are cheap.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from sessions.core.errors import InvalidRequest

# A reconnect of 200 sessions has 601 values.
MAX_VALUES: Final = 1_000
MAX_DEPTH: Final = 16
_BEFORE_VALUES: Final = (b",", b"[", b"{")
# In steps of some hundred escapes: between two steps other threads may run.
_INSIDE: Final = re.compile(rb'(?:[^"\\]++|\\.){0,256}+', re.DOTALL)


def parse(raw: bytes) -> Any:
    """Return the JSON value of a body. Raises InvalidRequest, also for too many values."""
    if _values(raw) > MAX_VALUES:
        raise InvalidRequest(f"The body has more than {MAX_VALUES} values.")
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as exc:
        raise InvalidRequest("The body is not JSON.") from exc
    if _is_too_deep(value):
        raise InvalidRequest(f"The body is nested deeper than {MAX_DEPTH} levels.")
    return value


def _values(raw: bytes) -> int:
    """Return how many values a body may have at most; counting ends past MAX_VALUES."""
    found = _count(raw)
    return found if found <= MAX_VALUES else _values_outside_texts(raw)


def _values_outside_texts(raw: bytes) -> int:
    at = found = 0
    while (quote := raw.find(b'"', at)) >= 0:
        # A text is a value or a name, so it counts by itself.
        found += 1 + _count(raw[at:quote])
        if found > MAX_VALUES:
            return found
        at = _end_of_text(raw, quote + 1)
    return found + _count(raw[at:])


def _end_of_text(raw: bytes, at: int) -> int:
    """Return the place behind the quote that ends the text with a character at `at`."""
    while raw[at : at + 1] not in (b'"', b""):
        step = _INSIDE.match(raw, at)
        if step is None or step.end() == at:  # a lone backslash at the end
            return len(raw)
        at = step.end()
    return at + 1


def _count(part: bytes) -> int:
    return sum(part.count(mark) for mark in _BEFORE_VALUES)


def _is_too_deep(value: Any) -> bool:
    level, depth = [value], 0
    while level and depth <= MAX_DEPTH:
        level = [inner for item in level for inner in _inside(item)]
        depth += 1
    return depth > MAX_DEPTH


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
