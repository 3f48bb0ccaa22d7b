"""The configuration options of an agent's session, such as its model. Pure, never raises."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import accumulate
from typing import Any, Final, TypeGuard

from pydantic_core import to_json

from sessions.agents.acp.translation.labels import fits, label
from sessions.agents.content import Choice, ConfigOption

MODE: Final = "mode"
MODEL: Final = "model"
EFFORT: Final = "thought_level"
MAX_OPTIONS: Final = 50
MAX_VALUES: Final = 200
# All of them together as JSON: they are in each snapshot.
MAX_BYTES: Final = 128 * 1024

Json = dict[str, Any]


def parse(told: Any) -> tuple[ConfigOption, ...]:
    """Return the options of an answer or an update: those that can be shown and chosen."""
    found = [option for one in told if (option := _option(one))] if isinstance(told, list) else []
    return tuple(_bounded(found[:MAX_OPTIONS]))


def _bounded(options: Iterable[ConfigOption]) -> Iterator[ConfigOption]:
    """Yield options of about MAX_BYTES together: one that goes beyond has its first values."""
    room = MAX_BYTES
    for option in options:
        shown, size = option, _size_of(option)
        if size > room:
            shown = replace(option, choices=_first(option.choices, room // 2))
            size = _size_of(shown)
        room -= size
        if room < 0:
            return
        yield shown


def _first(choices: Iterable[Choice], room: int) -> tuple[Choice, ...]:
    sizes = accumulate(_size_of(choice) for choice in choices)
    return tuple(c for c, size in zip(choices, sizes, strict=True) if size <= room)


def _size_of(value: Any) -> int:
    return len(to_json(value))


def of_models(options: Iterable[Any] | None) -> tuple[ConfigOption, ...]:
    """Return the options of an answer that the ACP library has read."""
    return parse([option.model_dump(by_alias=True, mode="json") for option in options or ()])


def mode_of(options: Iterable[ConfigOption]) -> str | None:
    """Return the mode that options tell, None when they tell none."""
    return _value_of(options, MODE)


def model_of(options: Iterable[ConfigOption]) -> str | None:
    """Return the model that options tell, None when they tell none."""
    return _value_of(options, MODEL)


def effort_of(options: Iterable[ConfigOption]) -> str | None:
    """Return how long the model thinks, as options tell it, None when they tell nothing of it."""
    return _value_of(options, EFFORT)


def in_mode(options: Iterable[ConfigOption], mode: str | None) -> tuple[ConfigOption, ...]:
    """Return options of which the one that holds the mode has a mode, where it offers that."""
    return tuple(
        replace(o, value=mode) if o.category == MODE and mode is not None and o.takes(mode) else o
        for o in options
    )


def _value_of(options: Iterable[ConfigOption], category: str) -> str | None:
    values = (o.value for o in options if o.category == category)
    return next((value for value in values if isinstance(value, str) and value), None)


def _option(told: Any) -> ConfigOption | None:
    fields = told if isinstance(told, dict) else {}
    own, value = fields.get("id", fields.get("configId")), fields.get("currentValue")
    if not _is_id(own):
        return None
    name, category = label(_text(fields, "name") or own), label(_text(fields, "category"))
    if fields.get("type") == "boolean" and isinstance(value, bool):
        return ConfigOption(own, category, name, "boolean", value)
    if not _is_id(value):
        return None
    choices = tuple(_choices(fields.get("options")))[:MAX_VALUES]
    return ConfigOption(own, category, name, "select", value, choices)


def _choices(told: Any, group: str = "") -> Iterator[Choice]:
    for one in told if isinstance(told, list) else ():
        if not isinstance(one, dict):
            continue
        if isinstance(one.get("options"), list) and not group:
            yield from _choices(one["options"], label(_text(one, "name") or "…"))
        elif _is_id(value := one.get("value")):
            yield Choice(value, label(_text(one, "name") or value), group)


def _is_id(own: Any) -> TypeGuard[str]:
    return isinstance(own, str) and bool(own) and fits(own)


def _text(fields: Json, name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""
