"""Diffs, places, images and files of a tool's content. Pure, bounded, never raises."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from itertools import takewhile
from typing import Any, Final

from sessions.agents.acp.translation.labels import label
from sessions.agents.content import Bytes, Diff, Image, Location, Resource

Json = dict[str, Any]

# Of the diffs of one call together, of one file's text, of all bytes of one call.
MAX_DIFF_CHARS: Final = 200_000
MAX_TEXT_CHARS: Final = 100_000
MAX_BYTES: Final = 8 * 1024 * 1024
# Of each kind, in one call.
MAX_ITEMS: Final = 50
MAX_PATH_CHARS: Final = 4096
# Lines that are kept around a change of a file that is too long.
AROUND: Final = 3


def diffs_of(items: list[Any]) -> tuple[Diff, ...]:
    """Return the changes of files among a tool's content items."""
    told = [item for item in items if _is(item, "diff") and isinstance(item.get("newText"), str)]
    room, found = MAX_DIFF_CHARS, list[Diff]()
    for item in told[:MAX_ITEMS]:
        old = item["oldText"] if isinstance(item.get("oldText"), str) else None
        diff = _fitting(Diff(_text(item, "path")[:MAX_PATH_CHARS], old, item["newText"]), room)
        room -= len(diff.old or "") + len(diff.new)
        found.append(diff)
    return tuple(found)


def locations_of(places: list[Any]) -> tuple[Location, ...]:
    """Return the places that a tool call names."""
    found = []
    for place in places[:MAX_ITEMS]:
        if isinstance(place, dict) and (path := _text(place, "path")):
            line = place.get("line")
            is_line = isinstance(line, int) and not isinstance(line, bool) and line >= 0
            found.append(Location(path[:MAX_PATH_CHARS], line if is_line else None))
    return tuple(found)


def files_of(items: list[Any], raw: Any) -> tuple[tuple[Image, ...], tuple[Resource, ...]]:
    """Return images and files among content items, and among those of an MCP tool's raw output."""
    images, resources, room = list[Image](), list[Resource](), MAX_BYTES
    for block in (*_blocks(items), *_blocks(_raw_items(raw))):
        match block.get("type"):
            case "image" if len(images) < MAX_ITEMS:
                content = _decoded(block.get("data"), room)
                if content is not None:
                    images.append(Image(label(_text(block, "mimeType")), content))
                    room -= len(content.data)
            case "resource" | "resource_link" if len(resources) < MAX_ITEMS:
                resource = _resource(block, room)
                if resource is not None:
                    resources.append(resource)
                    room -= len(resource.content.data) if resource.content else 0
    return tuple(images), tuple(resources)


def _fitting(diff: Diff, room: int) -> Diff:
    """Return a diff of at most room characters: first its unchanged ends go, then the rest."""
    size = len(diff.old or "") + len(diff.new)
    if size <= room:
        return diff
    if diff.old is not None:
        diff = _without_ends(diff.path, diff.old, diff.new)
    half = room // 2 if diff.old is not None else room
    old = diff.old if diff.old is None else diff.old[:half]
    new = diff.new[: room - len(old or "")]
    return Diff(diff.path, old, new, size - len(old or "") - len(new))


def _without_ends(path: str, old: str, new: str) -> Diff:
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    top = _common(before, after)
    bottom = _common(before[top:][::-1], after[top:][::-1])
    first = max(0, top - AROUND)
    last = max(0, bottom - AROUND)
    return Diff(
        path,
        "".join(before[first : len(before) - last]),
        "".join(after[first : len(after) - last]),
    )


def _common(one: list[str], other: list[str]) -> int:
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _blocks(items: list[Any]) -> Iterator[Json]:
    for item in items:
        block = item.get("content") if _is(item, "content") else item
        if isinstance(block, dict):
            yield block


def _raw_items(raw: Any) -> list[Any]:
    """Return the content of an MCP tool, which codex tells in the raw output alone."""
    result = raw.get("result") if isinstance(raw, dict) else None
    content = result.get("content") if isinstance(result, dict) else None
    return content if isinstance(content, list) else []


def _resource(block: Json, room: int) -> Resource | None:
    fields = block.get("resource") if block.get("type") == "resource" else block
    if not isinstance(fields, dict) or not (uri := _text(fields, "uri")[:MAX_PATH_CHARS]):
        return None
    mime, text = label(_text(fields, "mimeType")), fields.get("text")
    if isinstance(text, str):
        cut = max(0, len(text) - MAX_TEXT_CHARS)
        return Resource(uri, mime, text=text[:MAX_TEXT_CHARS], cut=cut)
    return Resource(uri, mime, content=_decoded(fields.get("blob"), room))


def _decoded(data: Any, room: int) -> Bytes | None:
    """Return base64 as bytes; None for other data, for none, and for more than room."""
    if not isinstance(data, str) or not data or len(data) * 3 // 4 > room:
        return None
    try:
        return Bytes(base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError):
        return None


def _is(item: Any, kind: str) -> bool:
    return isinstance(item, dict) and item.get("type") == kind


def _text(fields: Json, name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""
