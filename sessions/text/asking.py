"""A permission request as lines for a terminal, complete.

Every character of the agent's texts can be seen. A line break inside them begins a marked line, so
that no text can pass for a line of the program.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final

from sessions.text.visible import visible

# The page has the same words: tests/golden/requests.json holds the two together.
_EFFECTS: Final = {
    "allow_once": "allows once",
    "allow_always": "allows always",
    "reject_once": "rejects once",
    "reject_always": "rejects always",
}
_DEEDS: Final = {
    "delete": "deletes files",
    "edit": "changes files",
    "execute": "runs a command",
    "fetch": "fetches from the network",
    "move": "moves files",
    "read": "reads files",
    "search": "searches files",
    "switch_mode": "changes the mode",
    "think": "thinks",
}
# The server's own fields. The first two are the agent's words about the action: its title and the
# text beside its input. The last is the beginning of an input that is too large.
_WORDS: Final = frozenset({"title", "content"})
_TRUNCATED: Final = "truncated"
_NEXT_LINE: Final = "\n  | "
# The codes of notices about requests that ran out: a page and a terminal offer to ask again.
PERMISSION_EXPIRED: Final = "permission_expired"
QUESTION_EXPIRED: Final = "question_expired"
EXPIRED: Final = frozenset({PERMISSION_EXPIRED, QUESTION_EXPIRED})
UNKNOWN: Final = "The agent did not say what it will do."
CUT: Final = "The action is too large to be shown whole: this is its beginning."


class Alarm(str):
    """A line that warns: it is written in red."""

    __slots__ = ()


def once_more(notice: str) -> str:
    """Return the prompt that lets an agent ask again; the page has the same words."""
    return f"{notice}\nPlease ask again and continue."


def is_known(details: object) -> bool:
    """Return whether an agent tells its action: more than blank values and words about it."""
    if isinstance(details, Mapping):
        return any(name not in _WORDS and not _is_blank(value) for name, value in details.items())
    return not _is_blank(details)


def is_clear(details: object) -> bool:
    """Return whether the whole of an action is known."""
    return is_known(details) and not (isinstance(details, Mapping) and _TRUNCATED in details)


def plan_of(kind: str, details: object) -> str:
    """Return the plan, in Markdown, that a change of the mode asks for; "" for none."""
    plan = details.get("plan") if isinstance(details, Mapping) and kind == "switch_mode" else None
    return plan if isinstance(plan, str) else ""


def lines_of_request(*, tool: str, kind: str, title: str, details: object) -> Iterator[str]:
    """Yield the lines of a request. details: the input of the tool, as the agent tells it."""
    named = f"{tool}: {title}" if tool and tool != title else title or tool
    # The brackets are always there: an agent's words cannot take their place.
    yield f"? [{deed(kind) or 'of an unknown kind'}] {inset(named)}"
    if isinstance(details, Mapping):
        for name, value in details.items():
            yield f"  {one_line(str(name))}: {inset(_text(value))}"
    elif not _is_blank(details):
        yield f"  {inset(_text(details))}"
    if not is_known(details):
        yield Alarm(f"  {UNKNOWN}")
    elif not is_clear(details):
        yield Alarm(f"  {CUT}")


def deed(kind: str) -> str:
    """Return a kind of tool in words of the program; "" for an unknown one."""
    return _DEEDS.get(kind, "")


def option_line(option: Mapping[str, str]) -> str:
    """Return an option's label on one line, with its effect in words of the program.

    An agent may write "Reject" on an option that allows.
    """
    label, said = one_line(option["label"]), effect(option["kind"], option["label"])
    return f"{label} ({said})" if said else label


def effect(kind: str, label: str) -> str:
    """Return an option's effect; "" where the label is that and nothing else."""
    is_said = kind in _EFFECTS and label.lower().split() == kind.split("_")
    return "" if is_said else _EFFECTS.get(kind, "effect unknown")


def inset(text: str) -> str:
    """Return visible text whose every further line is marked as belonging to the first."""
    return visible(text).replace("\n", _NEXT_LINE)


def one_line(text: str) -> str:
    """Return visible text on one line, a mark in place of each line break."""
    return visible(text).replace("\n", "⟨U+000A⟩")


def _is_blank(value: object) -> bool:
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, Mapping | list | tuple) and not value)


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)
