"""Messages that a person has taken back: the log keeps them, the fold marks them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar, cast

from sessions.eventlog.shapes import Envelope, Message, Rewind

M = TypeVar("M", bound=Message)


def after(rewinds: list[Rewind], event: Envelope) -> list[Rewind]:
    """Return the rewinds that count after a rewound event."""
    if "undoes" in event:
        return [each for each in rewinds if each["seq"] != event["undoes"]]
    rewind: Rewind = {
        "seq": event["seq"],
        "to": event["to"],
        "since": event.get("since", event["to"]),
        "clientMsgIds": event.get("clientMsgIds", []),
    }
    return [*rewinds, rewind]


def is_taken_back(message: Message, rewinds: Sequence[Rewind]) -> bool:
    """Return whether one of the rewinds has taken a message back."""
    return any(_has(rewind, message) for rewind in rewinds)


def marked(message: M, rewinds: Sequence[Rewind]) -> M:
    """Return a message with its mark, or without one where it counts."""
    is_back = is_taken_back(message, rewinds)
    if is_back == message.get("rewound", False):
        return message
    return cast("M", {**message, "rewound": True}) if is_back else bare(message)


def bare(message: M) -> M:
    """Return a message as it is stored: without a mark."""
    if "rewound" not in message:
        return message
    return cast("M", {name: value for name, value in message.items() if name != "rewound"})


def _has(rewind: Rewind, message: Message) -> bool:
    if rewind["since"] <= message["seq"] < rewind["seq"]:
        return True
    return message["role"] == "user" and message["clientMsgId"] in rewind["clientMsgIds"]
