"""A permission request as lines for a terminal, complete.

Every character of the agent's texts can be seen. A line break inside them begins a marked line, so
that no text can pass for a line of the program.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from sessions.text.visible import visible

_NEXT_LINE = "\n  | "


def lines_of_request(*, tool: str, title: str, details: object) -> Iterator[str]:
    """Yield the lines of a request. details: the input of the tool, as the agent tells it."""
    yield "? " + inset(f"{tool}: {title}" if tool and tool != title else title or tool)
    if isinstance(details, Mapping) and details:
        for name, value in details.items():
            yield f"  {one_line(str(name))}: {inset(_text(value))}"
    elif details:
        yield f"  {inset(_text(details))}"
    else:
        yield "  (the agent tells no input)"


def inset(text: str) -> str:
    """Return visible text whose every further line is marked as belonging to the first."""
    return visible(text).replace("\n", _NEXT_LINE)


def one_line(text: str) -> str:
    """Return visible text on one line, a mark in place of each line break."""
    return visible(text).replace("\n", "⟨U+000A⟩")


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)
