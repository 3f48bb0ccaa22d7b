"""Texts that are too long for the wire: their beginning, and the size of the whole. Pure.

docs/reference/events.md#cut-texts leads. `cut` names the parts that are shortened and their whole
sizes in bytes. The log has each text whole, and sessions.reading.blocks reads it from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

from pydantic_core import to_json

from sessions.eventlog.events import EventType
from sessions.eventlog.shapes import (
    AssistantMessage,
    Block,
    Cut,
    Envelope,
    Message,
    Permission,
    Question,
)

# The fields of events that an agent or a person can make long.
_LISTS: Final = ("diffs", "locations", "images", "resources")
_OF_EVENTS: Final = (
    "text",
    "delta",
    "content",
    "title",
    "error",
    "html",
    "input",
    "schema",
    *_LISTS,
)
_OF_BLOCKS: Final = ("content", "result", "input", "html", *_LISTS)
_OF_REQUESTS: Final = ("title", "toolName", "input", "diffs", "locations", "options")
_OF_QUESTIONS: Final = ("title", "schema")
# Of a part of a request that has no room: enough to tell it from others, and nearly nothing.
_LEAST: Final = 512
_BARE: Final = 64
# Of the label of an option that has no room.
_LEAST_OF_LABEL: Final = 16
# The widest number of blocks that are left out.
_MANY: Final = 10**9
# JSON writes one byte of a text as six at most: \u0001.
_ESCAPED: Final = 6


def size_on_wire(value: Any) -> int:
    """Return the bytes of a value as JSON."""
    return len(to_json(value))


def size_of_message(message: Message) -> int:
    """Return the bytes of a message as JSON, or a few more; without a copy of all of it."""
    if message["role"] != "assistant":
        return size_on_wire(message)
    around = size_on_wire({**message, "blocks": [], "earlierBlocks": _MANY})
    return around + sum(size_on_wire(each) + 1 for each in message["blocks"])


def beginning(text: str, limit: int) -> str:
    """Return the longest beginning, roughly, that takes at most limit bytes as JSON."""
    piece = text[:limit]
    while piece and (size := size_on_wire(piece)) > limit:
        piece = piece[: min(len(piece) - 1, len(piece) * limit // size)]
    return piece


def event(envelope: Envelope, limit: int) -> Envelope:
    """Return an event whose texts take at most limit bytes each; the same one when they do."""
    whole = cast("Mapping[str, Any]", envelope)
    if envelope["type"] == EventType.PERMISSION_REQUEST:
        whole = _with_its_rendering(whole, limit)
    short, sizes = _shortened(whole, _OF_EVENTS, limit)
    return cast("Envelope", {**whole, **short, "cut": sizes} if sizes else whole)


def _with_its_rendering(request: Mapping[str, Any], limit: int) -> Mapping[str, Any]:
    """Return a request without a rendering that is too long: the text itself is the action."""
    if not _is_longer(request.get("html") or "", limit):
        return request
    return {name: value for name, value in request.items() if name != "html"}


def message(whole: Message, limit: int) -> Message:
    """Return a message whose texts take at most limit bytes each."""
    if whole["role"] == "assistant":
        return {**whole, "blocks": [block(each, limit) for each in whole["blocks"]]}
    if whole["role"] == "user":
        short, sizes = _shortened(whole, ("text",), limit)
        return {**whole, "text": short["text"], "cut": sizes} if sizes else whole
    return {**whole, "text": beginning(whole["text"], limit)}


def block(whole: Block, limit: int) -> Block:
    """Return a block whose parts take at most limit bytes each."""
    short, sizes = _shortened(cast("Mapping[str, Any]", whole), _OF_BLOCKS, limit)
    if not sizes:
        return whole
    # A part that was cut before has told the size of its whole.
    cut: Cut = {**sizes, **whole.get("cut", {})}
    return cast("Block", {**whole, **short, "cut": cut})


def permissions(whole: list[Permission], limit: int, room: int) -> list[Permission]:
    """Return open requests of about room bytes: the oldest, which comes first, is whole first."""
    return [cast("Permission", each) for each in _asked(whole, _OF_REQUESTS, limit, room)]


def questions(whole: list[Question], limit: int, room: int) -> list[Question]:
    """Return open questions of about room bytes, like `permissions`."""
    return [cast("Question", each) for each in _asked(whole, _OF_QUESTIONS, limit, room)]


def _asked(
    whole: Sequence[Mapping[str, Any]], names: tuple[str, ...], limit: int, room: int
) -> Iterator[Mapping[str, Any]]:
    bare = [_marked(each, names, min(_BARE, limit)) for each in whole]
    spare = room - sum(size_on_wire(one) for one in bare)
    for each, one in zip(whole, bare, strict=True):
        shown = one
        for most in (limit, min(_LEAST, limit)):
            longer = _marked(each, names, most)
            more = size_on_wire(longer) - size_on_wire(one)
            if more <= spare:
                shown, spare = longer, spare - more
                break
        yield shown


def _marked(whole: Mapping[str, Any], names: tuple[str, ...], limit: int) -> Mapping[str, Any]:
    whole = _with_its_rendering(whole, limit)
    short, sizes = _shortened(whole, names, limit)
    return {**whole, **short, "cut": sizes} if sizes else whole


def fitted(whole: Message, room: int) -> Message:
    """Return a message of at most room bytes: the newest blocks are kept whole first.

    Blocks that do not fit even without their texts are left out and counted in earlierBlocks.
    """
    if size_of_message(whole) <= room:
        return whole
    if whole["role"] != "assistant":
        return message(whole, max(0, room - size_on_wire(message(whole, 0))))
    kept: list[Block] = []
    left = room - size_on_wire({**whole, "blocks": [], "earlierBlocks": _MANY})
    for each in reversed(whole["blocks"]):
        one = _squeezed(each, left)
        left -= size_on_wire(one) + 1
        if left < 0:
            break
        kept.append(one)
    return _with_the_last(whole, kept[::-1])


def _with_the_last(whole: AssistantMessage, kept: list[Block]) -> AssistantMessage:
    earlier = whole.get("earlierBlocks", 0) + len(whole["blocks"]) - len(kept)
    short: AssistantMessage = {**whole, "blocks": kept}
    return {**short, "earlierBlocks": earlier} if earlier else short


def _squeezed(whole: Block, room: int) -> Block:
    """Return a block of about room bytes; one without its texts where there is no room at all."""
    if size_on_wire(whole) <= room:
        return whole
    bare = block(whole, 0)
    spare = room - size_on_wire(bare)
    # Content, result and input share it.
    return block(whole, spare // 3) if spare > 0 else bare


def _shortened(
    whole: Mapping[str, Any], names: tuple[str, ...], limit: int
) -> tuple[dict[str, Any], Cut]:
    """Return the parts of whole that are longer than limit, shortened, and their sizes."""
    short: dict[str, Any] = {}
    sizes: dict[str, int] = {}
    for name in names:
        value = whole.get(name)
        if value and _is_longer(value, limit):
            sizes[name] = _bytes_of(value) if isinstance(value, str) else size_on_wire(value)
            short[name] = _instead_of(name, value, limit)
    return short, cast("Cut", sizes)


def _is_longer(value: Any, limit: int) -> bool:
    """Return whether a value takes more than limit bytes as JSON; most texts are not encoded."""
    if isinstance(value, str):
        if len(value) > limit:
            return True
        if len(value) * _ESCAPED + 2 <= limit:
            return False
    return size_on_wire(value) > limit


def _bytes_of(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _instead_of(name: str, value: Any, limit: int) -> Any:
    if name == "html":
        return None  # half of a rendered text is none
    if name in _LISTS:
        return []
    if name == "options":
        # An answer names an option by its id: each of them stays.
        least = max(_LEAST_OF_LABEL, limit // len(value))
        return [{**option, "label": beginning(option["label"], least)} for option in value]
    if name == "schema":
        return {}
    if name == "input":
        return {"truncated": beginning(to_json(value).decode(), limit)}
    return beginning(value, limit)
