"""The options of a permission request that a person may choose. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import count
from typing import Final

from sessions.agents.port import REJECTS, PermissionAsked, PermissionOption
from sessions.text.asking import is_clear

# They decide this request alone.
ONCE: Final = frozenset({"allow_once", "reject_once"})
REJECT: Final = "reject"


def offered(asked: PermissionAsked) -> tuple[PermissionOption, ...]:
    """Return the options to offer: each under an id of its own, and one of them rejects.

    For an action that is not known whole, only options that decide this request alone. An id that
    stands for two options is left out: the agent could take it for the other one.
    """
    ids = Counter(option.id for option in asked.options)
    chosen = [option for option in asked.options if ids[option.id] == 1]
    if not is_clear(asked.input):
        chosen = [option for option in chosen if option.kind in ONCE]
    if not any(option.kind in REJECTS for option in chosen):
        free = next(name for name in _names() if name not in ids)
        chosen.append(PermissionOption(free, "reject_once", "Reject"))
    return tuple(chosen)


def _names() -> Iterator[str]:
    yield REJECT
    yield from (f"{REJECT}~{number}" for number in count(2))
