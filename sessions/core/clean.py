"""Data of strangers → data that every database, encoder and client can hold. Pure."""

from __future__ import annotations

from typing import Any, Final

# Encoders and databases fail somewhere between 200 and 1,000 levels; no tool needs so many.
MAX_DEPTH: Final = 64
CUT: Final = "[nested too deeply]"


def clean(value: Any, *, depth: int = MAX_DEPTH) -> Any:
    """Return JSON data without NUL, lone surrogates, NaN, and levels deeper than depth.

    PostgreSQL's JSON takes no NUL and UTF-8 no lone surrogate; agents print both.
    """
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict | list | tuple):
        return _clean_inside(value, depth - 1) if depth else CUT
    if isinstance(value, float) and value - value != 0:  # NaN and the infinities are not JSON
        return None
    return value


def clean_text(text: str) -> str:
    """Return text with NUL and lone surrogates as U+FFFD."""
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _clean_inside(value: dict[Any, Any] | list[Any] | tuple[Any, ...], depth: int) -> Any:
    if isinstance(value, dict):
        return {clean_text(str(key)): clean(item, depth=depth) for key, item in value.items()}
    return [clean(item, depth=depth) for item in value]
