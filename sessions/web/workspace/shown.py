"""Files as a page shows them: text with colours, Markdown as HTML, everything else by its name."""

from __future__ import annotations

import mimetypes
import re
from dataclasses import dataclass
from typing import Final, Literal

from sessions.core.clean import clean_text
from sessions.text import highlight
from sessions.text.rendering import Rendering

Kind = Literal["text", "markdown", "image", "binary", "tooLarge"]

# Below the longest text that gets colours, so that a longer file has them too, part by part.
PART_CHARS: Final = 8_000
_SIGNATURES: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
_MARKDOWN: Final = frozenset({"md", "markdown"})
_TICKS: Final = re.compile(r"`+")
_BOMS: Final = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Shown:
    """The content for a page. html: sanitised, "" where text is all there is."""

    kind: Kind
    mime: str
    text: str | None
    html: str


def shown(path: str, data: bytes | None, *, rendering: Rendering) -> Shown:
    """Return a file for the page. data: None where it is too large."""
    named = mimetypes.guess_type(path)[0] or "application/octet-stream"
    if data is None:
        return Shown("tooLarge", named, None, "")
    picture = image_type(data)
    if picture:
        return Shown("image", picture, None, "")
    text = text_of(data)
    if text is None:
        return Shown("binary", named, None, "")
    ending = ending_of(path)
    if ending in _MARKDOWN:
        return Shown("markdown", "text/markdown", text, rendering.html(text) or "")
    return Shown("text", "text/plain", text, code_html(text, ending, rendering=rendering))


def image_type(data: bytes) -> str:
    """Return the type of a picture without scripts by its first bytes, "" for anything else."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((mime for start, mime in _SIGNATURES if data.startswith(start)), "")


def text_of(data: bytes) -> str | None:
    """Return the text of a file with plain line ends; None where it is no text."""
    if data[:2] in _BOMS:
        text = data.decode("utf-16", "replace")
    elif b"\x00" in data:
        return None
    else:
        text = data.decode("utf-8-sig", "replace")
    return clean_text(text.replace("\r\n", "\n").replace("\r", "\n"))


def code_html(text: str, language: str, *, rendering: Rendering) -> str:
    """Return code as coloured <pre> elements, whose texts together are the text; "" without."""
    if not text or language not in highlight.LANGUAGES:
        return ""
    fence = "`" * max(3, 1 + max(map(len, _TICKS.findall(text)), default=0))
    parts = _parts(text if text.endswith("\n") else f"{text}\n")
    return rendering.html("\n".join(f"{fence}{language}\n{part}{fence}" for part in parts)) or ""


def _parts(text: str) -> list[str]:
    parts = [""]
    for line in text.splitlines(keepends=True):
        if parts[-1] and len(parts[-1]) + len(line) > PART_CHARS:
            parts.append("")
        parts[-1] += line
    return parts


def ending_of(path: str) -> str:
    """Return the ending of a file's name, which tells its language."""
    name = path.rpartition("/")[2].lower()
    return "dockerfile" if name == "dockerfile" else name.rpartition(".")[2]
