"""A permission request as lines for a terminal, complete.

Every character of the agent's texts can be seen. A line break inside them begins a marked line, so
that no text can pass for a line of the program.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from sessions.text.visible import visible

# The page has the same words.
_SAYS = {
    "allow": re.compile(r"allow|approve|accept|yes", re.IGNORECASE),
    "reject": re.compile(r"reject|deny|refuse|never|\bno\b", re.IGNORECASE),
}
_SAYS_ALWAYS = re.compile(r"always|never|again|\ball\b", re.IGNORECASE)
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


def option_line(option: Mapping[str, str]) -> str:
    """Return an option's label on one line, with its effect where the label does not say it.

    An agent may write "Reject" on an option that allows.
    """
    note = _effect(option["kind"], option["label"])
    return one_line(option["label"]) + (f" ({note})" if note else "")


def _effect(kind: str, label: str) -> str:
    """Return an option's effect; "" where its label says it and nothing else."""
    verb, _, span = kind.partition("_")
    if verb not in _SAYS:
        return "effect unknown"
    other = "reject" if verb == "allow" else "allow"
    is_clear = _SAYS[verb].search(label) and not _SAYS[other].search(label)
    if is_clear and (span != "always" or _SAYS_ALWAYS.search(label)):
        return ""
    return f"{verb}s {span}"


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
