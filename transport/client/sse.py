"""text/event-stream: bytes become frames, wherever the network has cut them."""

from __future__ import annotations

import codecs
import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame; event is `message` where the stream does not say otherwise."""

    event: str
    id: str
    data: str


@dataclass(slots=True)
class _Fields:
    event: str = ""
    id: str = ""
    data: list[str] = field(default_factory=list)


class FrameParser:
    """Takes bytes as they come. A frame ends with a blank line."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._rest = ""
        self._ended_with_cr = False
        self._fields = _Fields()

    def push(self, data: bytes) -> list[Frame]:
        """Return the frames that data completes."""
        text = self._decoder.decode(data)
        if self._ended_with_cr and text.startswith("\n"):
            text = text[1:]
        if text:
            self._ended_with_cr = text.endswith("\r")
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        *lines, self._rest = (self._rest + text).split("\n")
        return [frame for line in lines if (frame := self._line(line)) is not None]

    def _line(self, line: str) -> Frame | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._fields.data.append(value)
        elif name == "event":
            self._fields.event = value
        elif name == "id":
            self._fields.id = value
        return None

    def _dispatch(self) -> Frame | None:
        ready, self._fields = self._fields, _Fields()
        if not ready.data:
            return None
        return Frame(ready.event or "message", ready.id, "\n".join(ready.data))


def message_of(frame: Frame) -> dict[str, Any]:
    """Return the JSON object of a frame, with its type. Raises ValueError when there is none."""
    data = json.loads(frame.data)
    if not isinstance(data, dict):
        raise ValueError("a frame is no JSON object")  # noqa: TRY004 (its text is wrong)
    return data if frame.event == "message" else {"type": frame.event, **data}


def is_applied(message: dict[str, Any]) -> bool:
    """Return whether a message moves a cursor: an event of the log, or a snapshot."""
    return "seq" in message or message["type"] == "session_snapshot"
