"""The ways to log in to an agent, as it tells them (`authMethods`) and as others are shown them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Final, Self

from typing_extensions import TypedDict

from sessions.core.clean import clean_text

MAX_METHODS: Final = 20
MAX_CHARS: Final = 500
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")


class Kind(StrEnum):
    """The means of a log-in."""

    TERMINAL = "terminal"  # the agent's own program, with other arguments
    COMMAND = "command"  # a command of the agent's definition
    CALL = "call"  # a call of `authenticate`
    VARIABLES = "variables"  # variables of the server that hold a key


class Shown(TypedDict):
    """A way to log in as a person sees it; variables: names of the server's that hold a key."""

    name: str
    description: str
    kind: str
    variables: list[str]


@dataclass(frozen=True, slots=True)
class Method:
    """One way to log in. env: variables for its terminal. variables: names of keys."""

    id: str
    name: str
    description: str
    kind: Kind
    arguments: tuple[str, ...] = ()
    env: Mapping[str, str] | None = None
    variables: tuple[str, ...] = ()

    def shown(self) -> Shown:
        """Return the fields for a person: nothing of its start."""
        return {
            "name": self.name,
            "description": self.description,
            "kind": self.kind.value,
            "variables": list(self.variables),
        }

    def told(self) -> dict[str, Any]:
        """Return the fields, for `of_told`."""
        return asdict(self)

    @classmethod
    def of_told(cls, told: Mapping[str, Any]) -> Self:
        """Return the method of these fields."""
        return cls(**{**told, "kind": Kind(told["kind"]), "arguments": tuple(told["arguments"])})


def wanted_by(label: str) -> str:
    """Return the sentence about an agent that wants a log-in. label: its name for a person."""
    return f"{label} wants a log-in first."


def of_agent(told: Iterable[Mapping[str, Any]]) -> list[Method]:
    """Return the methods that an agent has told, as in JSON."""
    return [_method(one) for one in list(told)[:MAX_METHODS]]


def _method(told: Mapping[str, Any]) -> Method:
    own, name, description = (
        clean_text(str(told.get(key) or ""))[:MAX_CHARS] for key in ("id", "name", "description")
    )
    made = partial(Method, own, name, description)
    match told.get("type"):
        case "terminal":
            arguments = tuple(map(str, told.get("args") or ()))
            env = {k: str(v) for k, v in (told.get("env") or {}).items() if _VARIABLE.fullmatch(k)}
            return made(Kind.TERMINAL, arguments, env)
        case "env_var":
            names = tuple(str(one["name"])[:MAX_CHARS] for one in told.get("vars") or ())
            return made(Kind.VARIABLES, variables=names)
    return made(Kind.CALL)
