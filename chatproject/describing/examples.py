"""Examples for /api/docs, made from the types of each operation. Pure.

Words that people know stand in the place of values by their names; everything else is the smallest
value that its schema takes. Of a body, the fields that are required are shown.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, Final

Json = dict[str, Any]

_SESSION: Final = "6f1f6c0e-0a35-4a0c-8d2e-0f7a5a3b1c2d"
_BLOB: Final = "3f2a9c1d5b7e" * 5 + "3f2a"
_TIME: Final = "2026-11-23T08:00:00.123Z"
# By the name of a field or parameter.
_WORDS: Final[Json] = {
    "agent": "codex",
    "agentSessionId": "0199a213-81c0-7800-8aa1-bbab2a035a53",
    "blob": _BLOB,
    "block_id": "m-7.2",
    "blockId": "m-7.2",
    "clientMsgId": "m-1",
    "command": "git status",
    "connectionId": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
    "cwd": "/home/ada/shop",
    "digest": _BLOB,
    "effect": "allow",
    "error": "There is no such session.",
    "folder": "/home/ada/shop",
    "message": "Mend the roof",
    "mime": "image/png",
    "mode": "ask",
    "name": "shop",
    "optionId": "model",
    "path": "src/roof.py",
    "pattern": "git status",
    "permId": "p-1",
    "q": "roof",
    "questionId": "q-1",
    "scope": "chat",
    "sha256": _BLOB,
    "text": "List the tests that fail.",
    "title": "Mend the roof",
    "turnId": "t-1",
    "url": "https://example.org/shop.git",
}
# Fields that are not required, and without which an operation has nothing to do.
_SHOWN: Final[Mapping[str, Json]] = {
    "patch /api/projects": {"name": "shop"},
    "patch /api/projects/{project_id}": {"name": "shop"},
    "patch /api/sessions/{session_id}": {"title": "Mend the roof"},
    "post /api/chat/answer": {"values": {"colour": "red"}},
    "post /api/chat/rewind": {"files": True, "chat": True},
    "post /api/clones": {"path": "/home/ada/shop"},
    "post /api/folders": {"path": "/home/ada/shop"},
    "post /api/mcp-servers": {"name": "docs", "kind": "http", "url": "https://example.org/mcp"},
    "post /api/rules": {"kind": "command", "sessionId": _SESSION},
    "post /api/rules/try": {"command": "git status"},
    "post /api/tokens": {"name": "a script", "scope": "chat"},
    "post /api/sessions/{session_id}/changes/stage": {"paths": ["src/roof.py"]},
    "post /api/sessions/{session_id}/changes/unstage": {"paths": ["src/roof.py"]},
}
_JSON: Final = "application/json"
# Types that name themselves end here.
_MAX_DEPTH: Final = 8


def add_examples(document: Json) -> None:
    """Give each operation examples of its parameters, its body and its answers, and a command."""
    examples = _Examples(document["components"]["schemas"])
    for path, methods in document["paths"].items():
        # An operation of two methods is one object.
        for method, operation in {id(o): (m, o) for m, o in methods.items()}.values():
            for parameter in operation["parameters"]:
                parameter["example"] = examples.of(parameter["schema"], parameter["name"])
            body = operation.get("requestBody", {}).get("content", {}).get(_JSON)
            if body is not None:
                shown = _SHOWN.get(f"{method} {path}", {})
                body["example"] = examples.of(body["schema"], "", only_required=True) | shown
            for answer in operation["responses"].values():
                if _JSON in answer.get("content", {}):
                    content = answer["content"][_JSON]
                    content["example"] = examples.of(content["schema"], "")
            command = _command(method, path, operation, body)
            told = operation.get("description", "")
            operation["description"] = f"{told}\n\n```\n{command}\n```".strip()


def _command(method: str, path: str, operation: Json, body: Json | None) -> str:
    """Return a command for a shell that carries the operation out."""
    asked = []
    for parameter in operation["parameters"]:
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", str(parameter["example"]))
        elif parameter["in"] == "query" and parameter["required"]:
            asked.append(f"{parameter['name']}={parameter['example']}")
    words = ["curl", "-X", method.upper()] if method != "get" else ["curl"]
    if body is not None:
        words += ["-H", "Content-Type: application/json", "-d", json.dumps(body["example"])]
    query = f"?{'&'.join(asked)}" if asked else ""
    return f'{shlex.join(words)} -H "Authorization: Bearer $TOKEN" "$SERVER{path}{query}"'


class _Examples:
    """Values for schemas. schemas: the components of the document."""

    def __init__(self, schemas: Mapping[str, Json]) -> None:
        self._schemas = schemas

    def of(self, schema: Json, name: str, *, only_required: bool = False, depth: int = 0) -> Any:
        """Return a value that a schema takes. name: of the field that has it."""
        schema = self._plain(schema)
        match schema.get("type"):
            case "object":
                return dict(self._fields(schema, only_required=only_required, depth=depth))
            case "array" if depth <= _MAX_DEPTH and schema.get("items"):
                return [self.of(schema["items"], name.removesuffix("s"), depth=depth + 1)]
            case "array":
                return []
        return _value(schema, name)

    def _plain(self, schema: Json) -> Json:
        """Follow references, and take the first alternative that is a value."""
        while True:
            if "$ref" in schema:
                schema = self._schemas[schema["$ref"].rsplit("/", 1)[-1]]
            elif alternatives := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
                schema = next((a for a in alternatives if a.get("type") != "null"), {})
            else:
                return schema

    def _fields(
        self, schema: Json, *, only_required: bool, depth: int
    ) -> Iterator[tuple[str, Any]]:
        required = schema.get("required", ())
        for name, field in schema.get("properties", {}).items():
            if depth <= _MAX_DEPTH and (name in required or not only_required):
                yield name, self.of(field, name, depth=depth + 1)


def _value(schema: Json, name: str) -> Any:
    """Return a value that has no parts."""
    choices = [schema["const"]] if "const" in schema else schema.get("enum")
    if choices:
        return _WORDS[name] if _WORDS.get(name) in choices else choices[0]
    match schema.get("type"):
        case "string":
            return _text(schema, name)
        case "integer" | "number":
            least = max(schema.get("minimum", 0), schema.get("exclusiveMinimum", -1) + 1)
            return max(1, least) if schema.get("maximum", 1) >= 1 else least
        case "boolean":
            return schema.get("default", True)
    return None


def _text(schema: Json, name: str) -> str:
    by_format = {"uuid": _SESSION, "date-time": _TIME}.get(schema.get("format", ""))
    if by_format:
        return by_format
    if "pattern" in schema and "64" in schema["pattern"]:
        return _BLOB
    known = _WORDS.get(name)
    if name in {"ts", "expiresAt"} or name.endswith("At"):
        known = _TIME
    if name == "sessionId":
        known = _SESSION
    return str(known if isinstance(known, str) else name or "text")
