"""The history that a model reads again with each prompt, trimmed to its context."""

from __future__ import annotations

from sessions.agents.programs.stdio import Json

# A first guess of the room; the model itself says when it was too much.
CHARS_PER_TOKEN = 3


class ContextFull(Exception):
    """The messages are more than the model's context holds."""


def fitting(system: str, history: list[Json], *, tokens: int) -> list[Json]:
    """Return the system message and as many of the last messages as should fit into tokens."""
    kept: list[Json] = []
    room = tokens * CHARS_PER_TOKEN
    for message in reversed(history):
        room -= len(message["content"])
        if room < 0 and kept:
            break
        kept.insert(0, message)
    return [{"role": "system", "content": system}, *_from_user(kept)]


def shorter(messages: list[Json]) -> list[Json]:
    """Return messages without the oldest exchange, or the last prompt without its first half."""
    system, *rest = messages
    if len(rest) > 1:
        return [system, *_from_user(rest[1:])]
    prompt = rest[0]["content"]
    return [system, {"role": "user", "content": prompt[len(prompt) // 2 :]}]


def _from_user(messages: list[Json]) -> list[Json]:
    """Return messages from the first one of the user on: chat templates want it so."""
    first = next(at for at, message in enumerate(messages) if message["role"] == "user")
    return messages[first:]
