"""The answer in flight: its blocks as they grow, and the output of its tools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sessions.text.asking import inset, one_line
from sessions.text.output import Output
from transport.terminal.showing.blocks import GrowingBlocks
from transport.terminal.showing.growing_output import GrowingOutputs
from transport.terminal.showing.paper import Paper
from transport.terminal.showing.tones import Prose, Toned

Event = Mapping[str, Any]
_MARKDOWN: Final = frozenset({"text", "plan"})


class Answer:
    """Writes blocks piece by piece; Markdown block by block where the paper draws it."""

    def __init__(self, paper: Paper) -> None:
        self._paper = paper
        self._type = ""
        self._name = ""
        self._prose: GrowingBlocks | None = None
        self._has_drawn = False
        # All of the block was shown piece by piece, whatever its end has room for.
        self.has_flowed = False
        self._outputs = GrowingOutputs()
        # The changes that a request has shown, by the ids of their calls.
        self._asked: dict[str, Any] = {}
        # The blocks of the tools, by the ids of their calls.
        self.tools: dict[str, str] = {}

    def clear(self) -> None:
        """Forget the tools: another session, or the end of the turn."""
        self.tools.clear()
        self._outputs.clear()
        self._asked.clear()

    def begin(self, block: Event) -> None:
        """Take the beginning of a block."""
        self._paper.end()
        self._type, self._name = block["blockType"], block.get("toolName") or ""
        is_drawn = self._paper.is_drawn and self._type in _MARKDOWN
        self._prose = GrowingBlocks() if is_drawn else None
        self.has_flowed = self._has_drawn = False
        if block.get("toolId"):
            self.tools[block["toolId"]] = block["blockId"]

    def add(self, event: Event) -> None:
        """Take a piece of the block."""
        if self._type == "tool_use":
            return
        if self._prose is None:
            self._paper.add(event["delta"])
        else:
            self._draw(self._prose.add(event["delta"]))
        self.has_flowed = "cut" not in event

    def end(self, event: Event) -> None:
        """Take the end of the block, which has all of it."""
        if self._prose is not None and self.has_flowed:
            self._draw(self._prose.close())
        elif self._type == "tool_use":
            self._title(event["content"])
        elif not self.has_flowed and event["content"]:
            self._paper.line(Prose(event["content"]))
        self._prose = None
        self._paper.end()

    def output(self, event: Event) -> None:
        """Take a piece of a tool's output."""
        lines = self._outputs.add(event["toolId"], event["delta"], is_cut="cut" in event)
        if lines:
            self._paper.line(Output(lines))

    def asked(self, request: Event) -> None:
        """Note the changes that a request has shown."""
        if request.get("toolId") and request.get("diffs"):
            self._asked[request["toolId"]] = request["diffs"]

    def result(self, event: Event) -> Event:
        """Return a result with those parts alone that were not shown."""
        told = dict(event)
        if "content" in event:
            told["content"] = self._outputs.rest(event["toolId"], event["content"])
        if event.get("diffs") and event["diffs"] == self._asked.get(event["toolId"]):
            del told["diffs"]
            told.pop("locations", None)
        return told

    def _title(self, title: str) -> None:
        if title and title != self._name:
            self._paper.line(Toned("quiet", f"  {inset(one_line(title))}"))

    def _draw(self, blocks: list[str]) -> None:
        for block in blocks:
            if self._has_drawn:
                self._paper.line("")
            self._paper.line(Prose(block))
            self._has_drawn = True
