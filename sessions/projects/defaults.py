"""The defaults of new chats in a project, as they are stored and sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from typing_extensions import TypedDict

from sessions.account_models import Project
from sessions.agents import registry
from sessions.core.clean import clean

UNTIL_ANSWERED: Final = "until_answered"
MAX_SCRIPT_CHARS: Final = 10_000
Waiting = int | Literal["until_answered"] | None


class Defaults(TypedDict):
    """The defaults of a project: docs/reference/http-api.md#projects.

    modes: by agent. options: by agent, then by the option's id. waiting: seconds of a permission
    request.
    """

    agent: str | None
    modes: dict[str, str]
    options: dict[str, dict[str, str | bool]]
    waiting: Waiting
    setUpScript: str


def of(project: Project) -> Defaults:
    """Return the defaults of a project, each field with a value."""
    none: Defaults = {"agent": None, "modes": {}, "options": {}, "waiting": None, "setUpScript": ""}
    return {**none, **project.defaults}


def changed(known: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Return stored defaults with some of their fields replaced. Raises UnknownAgent."""
    if change.get("agent") is not None:
        registry.check(change["agent"])
    return {**known, **clean(dict(change))}
