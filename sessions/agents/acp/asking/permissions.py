"""Permission requests of an agent: their options, and the wait for an answer.

A request is answered by a person, or with the end of the turn. Its JSON is read here and not by the
ACP library, which refuses a whole request for one word that it does not know.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sessions.agents.acp.translation.labels import Ids, label
from sessions.agents.port import PermissionOption
from sessions.agents.programs.stdio import MESSAGE

Json = dict[str, Any]

KINDS = frozenset({"allow_once", "allow_always", "reject_once", "reject_always"})
OTHER = "other"
# The most answers to one request; agents have six at most.
MAX_OPTIONS = 20
REJECT = PermissionOption("reject", "reject_once", "Reject")


@dataclass(frozen=True, slots=True)
class Choices:
    """The options of a request. own: the agent's ids by those of the chat; None is `cancelled`."""

    options: tuple[PermissionOption, ...]
    own: dict[str, str | None]


def choices(raw: Any) -> Choices:
    """Return the options of a request, each under an id of its own, one that rejects among them.

    Under an id that stands for an allowing option too, a rejecting one is answered as `cancelled`:
    the agent could take it for the other.
    """
    told = [option for option in raw if _is_option(option)] if isinstance(raw, list) else []
    allowing = {option["optionId"] for option in told if not _rejects(_kind(option))}
    options, own = [], dict[str, str | None]()
    ids = Ids()
    for option in told[:MAX_OPTIONS]:
        kind, theirs = _kind(option), option["optionId"]
        chat_id = ids.new(theirs)
        name = option.get("name")
        options.append(PermissionOption(chat_id, kind, label(name if _is_text(name) else theirs)))
        own[chat_id] = None if _rejects(kind) and theirs in allowing else theirs
    if not any(_rejects(option.kind) for option in options):
        way_out = ids.new(REJECT.id)
        options.append(PermissionOption(way_out, REJECT.kind, REJECT.label))
        own[way_out] = None
    return Choices(tuple(options), own)


class Permissions:
    """The open requests of one agent, by the id that the chat knows them by."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[Any, Choices, Callable[[Json], None]]] = {}

    def open(
        self, perm_id: str, request_id: Any, offered: Choices, reply: Callable[[Json], None]
    ) -> None:
        """Note a request; from now on it can be answered. reply: sends the result, once."""
        self._open[perm_id] = (request_id, offered, reply)

    @property
    def is_any_open(self) -> bool:
        """Whether a request waits."""
        return bool(self._open)

    def withdrawn(self, request_id: Any) -> str | None:
        """Close the request that the agent has cancelled; return its id."""
        for perm_id, (own, *_) in self._open.items():
            if own == request_id:
                self.answer(perm_id, None)
                return perm_id
        return None

    def answer(self, perm_id: str, option_id: str | None, message: str = "") -> bool:
        """Answer a request; return False when it is not open any more."""
        found = self._open.pop(perm_id, None)
        if found is None:
            return False
        _, offered, reply = found
        result = outcome(offered.own.get(option_id) if option_id is not None else None)
        # ACP has no field for it: agents of ours read this one, others pass it over.
        reply(result | ({"_meta": {MESSAGE: message}} if message else {}))
        return True

    def void(self) -> None:
        """Answer every open request with `cancelled`."""
        for perm_id in list(self._open):
            self.answer(perm_id, None)


def outcome(option_id: str | None) -> Json:
    """Return the result of a permission request; None is `cancelled`."""
    if option_id is None:
        return {"outcome": {"outcome": "cancelled"}}
    return {"outcome": {"optionId": option_id, "outcome": "selected"}}


def _is_option(option: Any) -> bool:
    return isinstance(option, dict) and _is_text(option.get("optionId"))


def _kind(option: Json) -> str:
    kind = option.get("kind")
    return kind if isinstance(kind, str) and kind in KINDS else OTHER


def _rejects(kind: str) -> bool:
    return kind.startswith("reject_")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)
