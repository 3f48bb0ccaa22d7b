"""The modes of an agent's session: a configuration option of that category, else said outright.

An agent that has both answers a change of the option with the values that hold then.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from acp.client.connection import ClientSideConnection
from acp.schema import (
    ForkSessionResponse,
    LoadSessionResponse,
    NewSessionResponse,
    ResumeSessionResponse,
    SessionConfigOptionSelect,
    SessionConfigSelectGroup,
)

from sessions.agents import port
from sessions.agents.acp.translation.labels import MAX_CHOICES, fits, label
from sessions.agents.acp.translation.options import of_models
from sessions.agents.content import ConfigOption

CATEGORY = "mode"

Answer = NewSessionResponse | LoadSessionResponse | ResumeSessionResponse | ForkSessionResponse


@dataclass(frozen=True, slots=True)
class Modes:
    """The modes on offer and the current one. option_id: the option that holds it, "" for none."""

    offered: tuple[port.Mode, ...] = ()
    current: str | None = None
    option_id: str = ""

    def has(self, mode: str) -> bool:
        """Return whether the agent offers a mode."""
        return any(offered.id == mode for offered in self.offered)


def of(answer: Answer) -> Modes:
    """Return the modes of a session that was just opened, those that a column can hold."""
    found = _offered(answer)
    offered = tuple(mode for mode in found.offered if fits(mode.id))
    current = found.current if found.current is not None and fits(found.current) else None
    return replace(found, offered=offered, current=current)


def _offered(answer: Answer) -> Modes:
    option = _option(answer.config_options)
    if option is None and answer.modes is not None:
        modes = (port.Mode(m.id, m.name, m.description or "") for m in answer.modes.available_modes)
        return Modes(tuple(modes), answer.modes.current_mode_id)
    if option is None:
        return Modes()
    choices = [
        choice
        for entry in option.options
        for choice in (entry.options if isinstance(entry, SessionConfigSelectGroup) else [entry])
    ]
    modes = (port.Mode(c.value, c.name, c.description or "") for c in choices)
    return Modes(tuple(modes), option.current_value, option.id)


def current(options: Iterable[Any] | None) -> str | None:
    """Return the mode that configuration options tell, None when they tell none."""
    option = _option(options)
    return option.current_value if option is not None and fits(option.current_value) else None


def told(options: Any) -> str | None:
    """Return the mode that an update's configuration options tell, None when they tell none."""
    for option in options if isinstance(options, list) else ():
        if isinstance(option, dict) and option.get("category") == CATEGORY:
            value = option.get("currentValue")
            return value if isinstance(value, str) and fits(value) else None
    return None


async def switch(
    connection: ClientSideConnection, modes: Modes, mode: str, *, session_id: str
) -> tuple[Modes, tuple[ConfigOption, ...]]:
    """Switch to a mode; return the modes as the agent has them then, and the settings it tells.

    Raises RequestError, ConnectionError.
    """
    if not modes.option_id:
        await connection.set_session_mode(session_id=session_id, mode_id=mode)
        return replace(modes, current=mode), ()
    answer = await connection.set_config_option(
        config_id=modes.option_id, session_id=session_id, value=mode
    )
    told = answer.config_options if answer is not None else None
    return replace(modes, current=current(told) or mode), of_models(told)


def shown(modes: Modes) -> tuple[port.Mode, ...]:
    """Return the modes that a person can choose from."""
    return tuple(replace(mode, label=label(mode.label)) for mode in modes.offered[:MAX_CHOICES])


def _option(options: Iterable[Any] | None) -> SessionConfigOptionSelect | None:
    for option in options or ():
        if isinstance(option, SessionConfigOptionSelect) and option.category == CATEGORY:
            return option
    return None
