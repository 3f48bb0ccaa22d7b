"""Faults of a request, named to its sender: few of them, and each one short."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sessions.core.errors import InvalidRequest

MAX_NAMED: Final = 10
MAX_NAME_CHARS: Final = 60
MAX_FAULT_CHARS: Final = 200


def invalid_request(faults: Iterable[Mapping[str, Any]]) -> InvalidRequest:
    """Return the error that names the first faults by their fields.

    faults: with `loc` and `msg`, as pydantic gives them.
    """
    fields: dict[str, str] = {}
    more = 0
    for fault in faults:
        name = _cut(_field(fault["loc"]), MAX_NAME_CHARS)
        if len(fields) < MAX_NAMED or name in fields:
            fields[name] = _cut(str(fault["msg"]), MAX_FAULT_CHARS)
        else:
            more += 1
    sentence = "; ".join(f"{name}: {problem}" for name, problem in fields.items())
    return InvalidRequest(f"{sentence}{f'; and {more} more' if more else ''}.", fields=fields)


def _field(loc: Iterable[int | str]) -> str:
    """Return the last name of a fault's place."""
    return next((part for part in reversed([*loc]) if isinstance(part, str)), "body")


def _cut(text: str, chars: int) -> str:
    return text if len(text) <= chars else f"{text[: chars - 1]}…"
