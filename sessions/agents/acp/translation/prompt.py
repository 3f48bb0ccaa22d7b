"""A prompt as ACP's blocks: its text, then its images and links to its files. Pure."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from acp import (
    embedded_text_resource,
    image_block,
    resource_block,
    resource_link_block,
    text_block,
)
from acp.schema import (
    AudioContentBlock,
    EmbeddedResourceContentBlock,
    ImageContentBlock,
    ResourceContentBlock,
    TextContentBlock,
)

from sessions.agents.port import Attached

Block = (
    TextContentBlock
    | ImageContentBlock
    | AudioContentBlock
    | ResourceContentBlock
    | EmbeddedResourceContentBlock
)


def blocks_of(text: str, attached: Sequence[Attached]) -> list[Block]:
    """Return the blocks of a prompt. Images are megabytes: called aside."""
    said: list[Block] = [text_block(text)] if text.strip() or not attached else []
    return [*said, *map(_block, attached)]


def _block(file: Attached) -> Block:
    if file.data is not None:
        return image_block(base64.b64encode(file.data).decode(), file.mime)
    if file.path is None:
        raise ValueError(f"{file.name!r} has neither bytes nor a place.")
    address = file.path.as_uri()
    if file.text is not None:
        return resource_block(embedded_text_resource(address, file.text))
    return resource_link_block(file.name, address, mime_type=file.mime or None, size=file.size)
