"""The marks of texts that are not whole: docs/reference/events.md#cut-texts. Pure."""

from __future__ import annotations

from typing import Any, Literal, cast

from sessions.eventlog.shapes import Block, Cut, Envelope

Growing = Literal["content", "result"]


def size_of(event: Envelope, field: str) -> int | None:
    """Return the whole size of a field that is cut; None for one that is whole."""
    sizes = cast("dict[str, int]", event.get("cut", {}))
    return sizes.get(field)


def marked(block: Block, sizes: dict[str, int | None]) -> Block:
    """Return a block with the sizes of parts that are cut; None: the part is whole now."""
    known = cast("dict[str, int | None]", block.get("cut", {}))
    cut = {part: size for part, size in (known | sizes).items() if size is not None}
    if not cut and not known:
        return block
    bare = cast("Block", {name: value for name, value in block.items() if name != "cut"})
    return {**bare, "cut": cast("Cut", cut)} if cut else bare


def grown(block: Block, event: Envelope, part: Growing) -> Block:
    """Return a block with a piece more: behind a cut only the size grows, its place is not held."""
    told = size_of(event, "delta")
    added = len(event["delta"].encode()) if told is None else told
    before = block.get("cut", {}).get(part)
    if before is not None:
        return marked(block, {part: before + added})
    held: str = block[part] or ""
    fields: dict[str, Any] = {**block, part: held + event["delta"]}
    after = cast("Block", fields)
    return after if told is None else marked(after, {part: len(held.encode()) + added})
