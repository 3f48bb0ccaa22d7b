"""Input in the words of WebDriver, which both of its protocols share."""

from __future__ import annotations

from typing import Any, Final

Json = dict[str, Any]
# The driver's own character for the key.
ENTER: Final = "\ue007"


def click(x: int, y: int) -> list[Json]:
    """Return the actions of a mouse that presses a place."""
    steps = [
        {"type": "pointerMove", "x": x, "y": y, "duration": 0},
        {"type": "pointerDown", "button": 0},
        {"type": "pointerUp", "button": 0},
    ]
    mouse = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}}
    return [{**mouse, "actions": steps}]


def write(text: str) -> list[Json]:
    """Return the actions of a keyboard that writes a text; a new line is Enter."""
    keys = text.replace("\n", ENTER)
    steps = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
    return [{"type": "key", "id": "keyboard", "actions": steps}]
