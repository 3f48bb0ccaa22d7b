"""One payload of each event type, made from the schema that the log checks."""

from typing import Any

from sessions.eventlog.events import PAYLOADS

_PLAIN = {"str": "text", "int": 7, "float": 0.5, "bool": True, "any": {"key": "value"}}


def example(event_type: str) -> dict[str, Any]:
    """Return a payload with every field, the optional ones too."""
    payload: dict[str, Any] = _value(PAYLOADS[event_type])
    return payload


def _value(schema: Any) -> Any:
    match schema["type"]:
        case "typed-dict":
            return {name: _value(field["schema"]) for name, field in schema["fields"].items()}
        case "list":
            return [_value(schema["items_schema"])]
        case "literal":
            return schema["expected"][0]
        case "nullable":
            return _value(schema["schema"])
        case "union":
            return _value(schema["choices"][0])
        case kind:
            return _PLAIN[kind]
