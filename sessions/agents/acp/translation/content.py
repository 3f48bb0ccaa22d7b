"""Content of ACP as text: blocks of an answer, output of a tool, diffs. Pure, never raises."""

from __future__ import annotations

from typing import Any


def block_text(block: Any) -> str:
    """Return a content block as text: an attachment as its address and, where it has one, its text.

    "" for a block that is none.
    """
    if not isinstance(block, dict) or not isinstance(kind := block.get("type"), str):
        return ""
    if kind == "resource":
        return _resource(block.get("resource"))
    if kind == "resource_link":
        return _link(block)
    if isinstance(text := block.get("text"), str):
        return text
    return "" if kind == "text" else f"[{kind}]"


def item_text(item: Any) -> str:
    """Return one item of a tool's content as text; "" for a terminal, whose output comes apart."""
    if not isinstance(item, dict):
        return ""
    match item.get("type"):
        case "content":
            return block_text(item.get("content"))
        case "diff":
            return "\n".join(_texts(item, "path", "newText"))
        case "terminal":
            return ""
    return block_text(item)


def changes(items: list[Any]) -> list[dict[str, str]]:
    """Return the diffs among a tool's content items: path, oldText, newText as far as told."""
    diffs = [item for item in items if isinstance(item, dict) and item.get("type") == "diff"]
    names = ("path", "oldText", "newText")
    return [
        {name: diff[name] for name in names if isinstance(diff.get(name), str)} for diff in diffs
    ]


def paths(locations: Any) -> list[str]:
    """Return the places that a tool call names, as path or path:line."""
    found = []
    for place in locations if isinstance(locations, list) else ():
        if isinstance(place, dict) and isinstance(path := place.get("path"), str):
            line = place.get("line")
            found.append(f"{path}:{line}" if isinstance(line, int) else path)
    return found


def _resource(resource: Any) -> str:
    if not isinstance(resource, dict):
        return "[resource]"
    lines = _texts(resource, "uri", "text")
    if "text" not in resource:
        kind = resource.get("mimeType")
        lines.append(f"[{kind}]" if isinstance(kind, str) else "[binary data]")
    return "\n".join(lines)


def _link(block: dict[str, Any]) -> str:
    uri, *_ = [*_texts(block, "uri"), ""]
    words = [word for word in _texts(block, "title", "name", "description") if word != uri]
    return f"{' · '.join(dict.fromkeys(words))}: {uri}" if words else uri or "[resource_link]"


def _texts(fields: dict[str, Any], *names: str) -> list[str]:
    return [value for name in names if isinstance(value := fields.get(name), str) and value]
