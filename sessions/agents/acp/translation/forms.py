"""The schema of a question → JSON Schema of the known keywords alone, bounded. Pure."""

from __future__ import annotations

from itertools import islice
from typing import Any, Final

from sessions.agents.acp.translation.labels import label

Json = dict[str, Any]

MAX_FIELDS: Final = 50
MAX_CHOICES: Final = 200
MAX_NAME_CHARS: Final = 200
MAX_PATTERN_CHARS: Final = 500
MAX_DEFAULT_CHARS: Final = 10_000
# A longer choice is left out: cut, it would be another one.
MAX_CHOICE_CHARS: Final = 2_000
# The limits that belong to each type.
_COUNTS: Final = {"string": ("minLength", "maxLength"), "array": ("minItems", "maxItems")}
_BOUNDS: Final = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_NUMBERS: Final = {"number": _BOUNDS, "integer": _BOUNDS}
_TYPES: Final = frozenset({"string", "number", "integer", "boolean", "array"})
_FORMATS: Final = frozenset({"email", "uri", "date", "date-time"})


def form_of(schema: Any) -> Json:
    """Return a schema that a page can draw and the server can check; unknown types are text."""
    told = schema if isinstance(schema, dict) else {}
    properties = told.get("properties")
    found = (
        (name, field)
        for name, field in (properties.items() if isinstance(properties, dict) else ())
        if isinstance(field, dict) and 0 < len(name) <= MAX_NAME_CHARS
    )
    fields = {name: _field(field) for name, field in islice(found, MAX_FIELDS)}
    wanted = told.get("required")
    names = wanted if isinstance(wanted, list) else []
    required = [name for name in names if isinstance(name, str) and name in fields]
    return {"type": "object", "properties": fields, "required": required, **_words(told)}


def _field(told: Json) -> Json:
    kind = told.get("type")
    kind = kind if isinstance(kind, str) and kind in _TYPES else "string"
    field: Json = {"type": kind, **_words(told), **_limits(kind, told)}
    if kind == "string":
        field |= _text(told)
    if kind == "array":
        items = told.get("items")
        choices = _choices(items if isinstance(items, dict) else {}, titled="anyOf")
        field["items"] = {"type": "string", **choices}
    default: Any = told.get("default")
    if _is_default(kind, default) and _is_offered(field, default):
        field["default"] = int(default) if kind == "integer" else default
    return field


def _limits(kind: str, told: Json) -> Json:
    """Return the limits of length, count or value that a type has."""
    counts = {n: told[n] for n in _COUNTS.get(kind, ()) if _is_number(told.get(n))}
    limits: Json = {name: int(count) for name, count in counts.items() if count >= 0}
    return limits | {n: told[n] for n in _NUMBERS.get(kind, ()) if _is_number(told.get(n))}


def _text(told: Json) -> Json:
    """Return the format, the pattern and the choices of a text."""
    text: Json = {}
    kind = told.get("format")
    if isinstance(kind, str) and kind in _FORMATS:
        text["format"] = kind
    pattern = told.get("pattern")
    if isinstance(pattern, str) and len(pattern) <= MAX_PATTERN_CHARS:
        text["pattern"] = pattern
    return text | _choices(told, titled="oneOf")


def _choices(told: Json, *, titled: str) -> Json:
    """Return the choices of a field: with titles below a keyword, plain ones as enum.

    A field without a choice that can be shown takes any text.
    """
    for keyword in ("oneOf", "anyOf"):
        options = told.get(keyword)
        if isinstance(options, list):
            found = _unique([o for o in options if isinstance(o, dict)])
            return {titled: found} if found else {}
    plain, titles = told.get("enum"), told.get("enumNames")
    if not isinstance(plain, list):
        return {}
    if isinstance(titles, list) and len(titles) == len(plain):
        pairs = zip(plain, titles, strict=True)
        found = _unique([{"const": one, "title": title} for one, title in pairs])
        return {titled: found} if found else {}
    words = [one["const"] for one in _unique([{"const": one} for one in plain])]
    return {"enum": words} if words else {}


def _unique(options: list[Json]) -> list[Json]:
    """Return the choices that can be shown; the first of those with one value."""
    found: dict[str, Json] = {}
    for option in options:
        const = option.get("const")
        if isinstance(const, str) and len(const) <= MAX_CHOICE_CHARS and const not in found:
            found[const] = {"const": const, **_words(option)}
        if len(found) == MAX_CHOICES:
            break
    return list(found.values())


def _words(told: Json) -> Json:
    names = ("title", "description")
    return {n: label(told[n]) for n in names if isinstance(told.get(n), str) and told[n]}


def _is_default(kind: str, value: Any) -> bool:
    match kind:
        case "string":
            return isinstance(value, str) and len(value) <= MAX_DEFAULT_CHARS
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return _is_number(value) and int(value) == value
        case "number":
            return _is_number(value)
    is_list = isinstance(value, list) and len(value) <= MAX_CHOICES
    return is_list and all(isinstance(one, str) and len(one) <= MAX_CHOICE_CHARS for one in value)


def _is_offered(field: Json, default: Any) -> bool:
    """Return whether the choices of a field, if it has some, have its default."""
    is_list = field["type"] == "array"
    source = field["items"] if is_list else field
    titled = source.get("oneOf") or source.get("anyOf") or []
    consts = source.get("enum") or [one["const"] for one in titled]
    return not consts or set(default if is_list else [default]) <= set(consts)


def _is_number(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and abs(value) < 1e15  # NaN and infinity compare False
