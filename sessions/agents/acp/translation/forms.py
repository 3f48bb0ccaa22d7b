"""The schema of a question → JSON Schema of the known keywords alone, bounded. Pure."""

from __future__ import annotations

from typing import Any, Final

from sessions.agents.acp.translation.labels import label

Json = dict[str, Any]

MAX_FIELDS: Final = 50
MAX_CHOICES: Final = 200
MAX_NAME_CHARS: Final = 200
MAX_PATTERN_CHARS: Final = 500
MAX_DEFAULT_CHARS: Final = 10_000
_COUNTS: Final = ("minLength", "maxLength", "minItems", "maxItems")
_NUMBERS: Final = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_TYPES: Final = frozenset({"string", "number", "integer", "boolean", "array"})
_FORMATS: Final = frozenset({"email", "uri", "date", "date-time"})


def form_of(schema: Any) -> Json:
    """Return a schema that a page can draw and the server can check; unknown types are text."""
    told = schema if isinstance(schema, dict) else {}
    properties = told.get("properties")
    fields = {
        name: _field(field)
        for name, field in (properties if isinstance(properties, dict) else {}).items()
        if isinstance(field, dict) and 0 < len(name) <= MAX_NAME_CHARS
    }
    fields = dict(list(fields.items())[:MAX_FIELDS])
    wanted = told.get("required")
    required = [name for name in (wanted if isinstance(wanted, list) else []) if name in fields]
    return {"type": "object", "properties": fields, "required": required, **_words(told)}


def _field(told: Json) -> Json:
    kind = told.get("type")
    kind = kind if isinstance(kind, str) and kind in _TYPES else "string"
    field: Json = {"type": kind, **_words(told)}
    for name in _COUNTS:
        if _is_number(told.get(name)) and told[name] >= 0:
            field[name] = int(told[name])
    for name in _NUMBERS:
        if _is_number(told.get(name)):
            field[name] = told[name]
    if told.get("format") in _FORMATS:
        field["format"] = told["format"]
    pattern = told.get("pattern")
    if isinstance(pattern, str) and len(pattern) <= MAX_PATTERN_CHARS:
        field["pattern"] = pattern
    field |= _choices(told)
    if kind == "array":
        items = told.get("items")
        field["items"] = {"type": "string", **_choices(items if isinstance(items, dict) else {})}
    if _is_default(kind, told.get("default")):
        field["default"] = told["default"]
    return field


def _choices(told: Json) -> Json:
    """Return the choices of a field: titled ones as oneOf or anyOf, plain ones as enum."""
    for keyword in ("oneOf", "anyOf"):
        options = told.get(keyword)
        if isinstance(options, list):
            return {keyword: [_choice(o) for o in options[:MAX_CHOICES] if _is_choice(o)]}
    plain = told.get("enum")
    if isinstance(plain, list):
        return {"enum": [one for one in plain[:MAX_CHOICES] if isinstance(one, str)]}
    return {}


def _is_choice(option: Any) -> bool:
    return isinstance(option, dict) and isinstance(option.get("const"), str)


def _choice(option: Json) -> Json:
    return {"const": option["const"], **_words(option)}


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
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return _is_number(value)
    is_list = isinstance(value, list) and len(value) <= MAX_CHOICES
    return is_list and all(isinstance(one, str) for one in value)


def _is_number(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and abs(value) < 1e15  # NaN and infinity compare False
