"""The type of bytes, by their content: names and the words of a client do not count. Pure."""

from __future__ import annotations

from typing import Final

import puremagic

BYTES: Final = "application/octet-stream"
TEXT: Final = "text/plain"
# The types that a page shows in place, by the signature that a browser looks for.
_SHOWN: Final = (
    ("image/png", 0, b"\x89PNG\r\n\x1a\n"),
    ("image/jpeg", 0, b"\xff\xd8\xff"),
    ("image/gif", 0, b"GIF87a"),
    ("image/gif", 0, b"GIF89a"),
    ("image/webp", 8, b"WEBP"),
)
IMAGES: Final = frozenset(mime for mime, _, _ in _SHOWN)
_HEAD_BYTES: Final = 4096


def mime_of(data: bytes) -> str:
    """Return the type of bytes; one that a page shows only where the signature says so."""
    for mime, at, signature in _SHOWN:
        if data[at : at + len(signature)] == signature and (at == 0 or data[:4] == b"RIFF"):
            return mime
    if _is_text(data):
        return TEXT
    try:
        found = str(puremagic.from_string(data[:_HEAD_BYTES], mime=True))
    except (puremagic.PureError, ValueError):
        return BYTES
    return BYTES if not found or found in IMAGES else found


def _is_text(data: bytes) -> bool:
    """Return whether bytes are text, markup and scripts included: none of it is shown as such."""
    if b"\0" in data:
        return False
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
