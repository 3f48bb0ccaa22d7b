"""Text deltas made whole: an agent may cut an emoji in two, half in one chunk, half in the next.

JSON has an emoji as a pair of surrogates. The halves of a pair are joined when they are neighbours
in one block of text; a half that stays alone becomes U+FFFD.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sessions.agents.port import (
    AgentExited,
    PermissionAsked,
    PlanUpdate,
    TextDelta,
    ThinkingDelta,
    ToolCall,
    TurnDone,
    Update,
)
from sessions.core.clean import clean_text

Delta = TextDelta | ThinkingDelta

# Updates that end the block of text before them, a tool call only with its first one.
ENDS_A_BLOCK = (PlanUpdate, PermissionAsked, TurnDone, AgentExited)


class Halves:
    """The half that one turn's text ended with, until its other half or the block's end comes."""

    def __init__(self) -> None:
        self._held: Delta | None = None
        self._tools: set[str] = set()

    def whole(self, update: Update) -> Iterator[Update]:
        """Yield the updates to pass on for one: each text can be encoded."""
        if isinstance(update, TextDelta | ThinkingDelta):
            yield from self._delta(update)
            return
        if isinstance(update, ENDS_A_BLOCK) or self._begins_a_tool(update):
            yield from self._rest()
        yield update

    def _begins_a_tool(self, update: Update) -> bool:
        if not isinstance(update, ToolCall) or update.tool_id in self._tools:
            return False
        self._tools.add(update.tool_id)
        return True

    def _delta(self, delta: Delta) -> Iterator[Update]:
        held = self._held
        if held is not None and (type(held), held.parent) != (type(delta), delta.parent):
            yield from self._rest()
        text = (self._held.text if self._held is not None else "") + delta.text
        self._held = None
        if "\ud800" <= text[-1:] <= "\udbff":
            self._held = replace(delta, text=text[-1])
            text = text[:-1]
        if text:
            yield replace(delta, text=clean_text(text))

    def _rest(self) -> Iterator[Update]:
        held, self._held = self._held, None
        if held is not None:
            yield replace(held, text="\ufffd")
