"""The settings of an agent as the fold keeps them; one may hold the mode. Pure.

Twin of static/sessions/log/folded-options.js.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sessions.eventlog.shapes import ConfigOption

# The category of the setting that holds the mode.
MODE: Final = "mode"


def in_mode(options: list[ConfigOption], mode: str) -> list[ConfigOption]:
    """Return the settings once an agent has another mode."""
    return _changed(options, lambda option: is_mode(option, mode), mode)


def with_value(
    options: list[ConfigOption],
    option_id: str,
    value: str | bool,  # noqa: FBT001 (its value)
) -> list[ConfigOption]:
    """Return the settings once one of them has another value."""
    return _changed(options, lambda option: option["id"] == option_id, value)


def is_mode(option: ConfigOption, mode: object) -> bool:
    """Return whether a setting holds the mode and offers this one."""
    return option["category"] == MODE and any(one["id"] == mode for one in option["choices"])


def _changed(
    options: list[ConfigOption],
    matches: Callable[[ConfigOption], bool],
    value: str | bool,  # noqa: FBT001 (its value)
) -> list[ConfigOption]:
    """Return the settings with the value of the last match changed."""
    place = max((i for i, option in enumerate(options) if matches(option)), default=None)
    if place is None:
        return options
    return [*options[:place], {**options[place], "value": value}, *options[place + 1 :]]
