"""One turn of an agent: typed updates → drafts for the log. Pure.

The events are well formed for any agent: each message is start → blocks → end, each block start →
delta* → end, the turn ends once, and nothing follows its end.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import Any

from sessions.agents import port
from sessions.eventlog import drafts as make
from sessions.eventlog.events import BlockType, Draft, StopReason
from sessions.runner.agent import attachments
from sessions.text.rendering import SMALL_CHARS, Rendering, is_small

# The cost of an event besides its text: a flood of empty tool calls reaches the limit, too.
EVENT_BYTES = 200

_CHECKBOX = {"completed": "[x]", "in_progress": "[~]"}


class OutputLimit(Exception):
    """The turn has put out more than it may; the text is a sentence for a person."""


@dataclass
class _Block:
    """A block that has begun. parts: its deltas so far."""

    block_id: str
    block_type: BlockType
    parent: str = ""
    parts: list[str] = field(default_factory=list)

    @property
    def renders_long(self) -> bool:
        """Whether its end renders more than a small text."""
        if self.block_type is not BlockType.TEXT:
            return False
        return len(self.parts) > SMALL_CHARS or not is_small("".join(self.parts))


@dataclass
class _Tool:
    """A tool call as the log has it.

    block: while its block is open; done: its last result; output: its pieces so far, until a result
    has them whole; begun: the time of its first word.
    """

    call: port.ToolCall
    block: _Block | None
    done: port.ToolDone | None = None
    output: list[str] = field(default_factory=list)
    begun: float = field(default_factory=lambda: monotonic())  # noqa: PLW0108 (tests set the clock)

    @property
    def took_ms(self) -> int:
        """The time since its first word."""
        return round((monotonic() - self.begun) * 1000)

    def end(self, done: port.ToolDone) -> None:
        """Take a result; it has the whole output."""
        self.done = done
        self.output.clear()


class TurnBuilder:
    """Builds the events of the turn `turn_id`; feed it every update, then it is closed once.

    max_output_bytes: an update past it raises OutputLimit and changes nothing; the caller then
    interrupts the agent and closes the turn.
    """

    def __init__(
        self,
        turn_id: str,
        *,
        max_output_bytes: int = 8 * 1024 * 1024,
        rendering: Rendering | None = None,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex[:16],
    ) -> None:
        self.turn_id = turn_id
        self.is_closed = False
        self._max_output_bytes = max_output_bytes
        self._output_bytes = 0
        self._rendering = rendering or Rendering()
        self._new_id = new_id
        self._message_id: str | None = None
        self._blocks_begun = 0
        self._text: _Block | None = None  # the open text or thinking block
        self._tools: dict[str, _Tool] = {}
        self._plan: tuple[port.PlanEntry, ...] | None = None
        self._steps: dict[type, Callable[[Any], list[Draft]]] = {
            port.TextDelta: partial(self._delta, BlockType.TEXT),
            port.ThinkingDelta: partial(self._delta, BlockType.THINKING),
            port.ToolCall: self._tool_call,
            port.ToolOutput: self._tool_output,
            port.ToolDone: self._tool_done,
            port.PlanUpdate: lambda update: self._plan_update(update.entries),
            port.PermissionAsked: self._permission,
            port.Usage: lambda update: [_usage(turn_id, update)],
            port.Notice: lambda update: [make.error(code=update.code, error=update.text)],
            port.TurnDone: lambda update: self.close(update.stop_reason, update.error),
            port.AgentExited: lambda update: self.close(StopReason.AGENT_CRASHED, update.error),
        }

    @property
    def renders_long(self) -> bool:
        """Whether the end of the open block renders more than a small text."""
        return self._text is not None and self._text.renders_long

    def apply(self, update: port.Update) -> list[Draft]:
        """Return the drafts of one update; [] for one of the session, and once the turn is closed.

        Raises OutputLimit.
        """
        if self.is_closed:
            return []
        self._admit(update)
        step = self._steps.get(type(update))
        return step(update) if step is not None else []

    def close(self, stop_reason: str, error: str | None = None) -> list[Draft]:
        """Return the end of everything that is open, and of the turn; [] when it is closed."""
        if self.is_closed:
            return []
        drafts = self._end_text()
        for tool_id, tool in self._tools.items():
            drafts += self._end_tool(tool)
            is_cut = tool.done is None and stop_reason != StopReason.END_TURN
            if is_cut or tool.output:  # pieces may be pruned, so a result has them all
                cut = port.ToolDone(tool_id, "cancelled", "".join(tool.output))
                drafts.append(attachments.result(self._message, cut))
        if self._message_id is not None:
            drafts.append(make.message_end(message_id=self._message_id))
        self.is_closed = True
        reason = StopReason(stop_reason)
        return [*drafts, make.turn_end(turn_id=self.turn_id, stop_reason=reason, error=error)]

    # --- text and thinking ---

    def _delta(
        self, block_type: BlockType, delta: port.TextDelta | port.ThinkingDelta
    ) -> list[Draft]:
        text, parent = delta.text, delta.parent
        if not text:
            return []
        drafts: list[Draft] = []
        block = self._text
        if block is None or (block.block_type, block.parent) != (block_type, parent):
            drafts += self._end_text()
            block, begun = self._begin(block_type, parent_tool_id=parent)
            self._text = block
            drafts += begun
        block.parts.append(text)
        piece = make.block_delta(message_id=self._message, block_id=block.block_id, delta=text)
        return [*drafts, piece]

    def _end_text(self) -> list[Draft]:
        block, self._text = self._text, None
        if block is None:
            return []
        content = "".join(block.parts)
        html = self._rendering.html(content) if block.block_type is BlockType.TEXT else None
        return [self._end(block, content, html=html)]

    # --- tools ---

    def _tool_call(self, call: port.ToolCall) -> list[Draft]:
        """Begin the tool's block, end it once its input is known, log every later change."""
        drafts: list[Draft] = []
        tool = self._tools.get(call.tool_id)
        if tool is None:
            drafts += self._end_text()
            block, begun = self._begin(BlockType.TOOL_USE, **_tool_fields(call))
            tool = self._tools[call.tool_id] = _Tool(call, block)
            drafts += begun
        before, tool.call = tool.call, _merged(tool.call, call)
        changes = _changes(before, tool.call, has_ended=tool.block is None)
        if changes:
            tool_id = call.tool_id
            drafts.append(make.tool_update(message_id=self._message, tool_id=tool_id, **changes))
        return [*drafts, *self._end_tool(tool)] if tool.call.input else drafts

    def _tool_done(self, done: port.ToolDone) -> list[Draft]:
        drafts = self._tool_call(port.ToolCall(done.tool_id, name="", kind=""))
        tool = self._tools[done.tool_id]
        if tool.done == done:
            return drafts
        tool.end(done)
        result = attachments.result(self._message, done, tool.took_ms)
        return [*drafts, *self._end_tool(tool), result]

    def _tool_output(self, piece: port.ToolOutput) -> list[Draft]:
        """Log a piece of a running call's output; a result has told the rest of an ended one."""
        tool = self._tools.get(piece.tool_id)
        if tool is None or tool.done is not None or not piece.text:
            return []
        tool.output.append(piece.text)
        output = make.tool_output(message_id=self._message, tool_id=piece.tool_id, delta=piece.text)
        return [*self._end_tool(tool), output]

    def _end_tool(self, tool: _Tool) -> list[Draft]:
        block, tool.block = tool.block, None
        if block is None:
            return []
        return [self._end(block, tool.call.title or tool.call.name, tool_input=tool.call.input)]

    def _permission(self, asked: port.PermissionAsked) -> list[Draft]:
        """End the block of the tool; begin it where the request is the first word of it."""
        drafts: list[Draft] = []
        if asked.tool_id not in self._tools:
            drafts += self._tool_call(_call_of(asked))
        return [*drafts, *self._end_tool(self._tools[asked.tool_id])]

    # --- the plan ---

    def _plan_update(self, entries: tuple[port.PlanEntry, ...]) -> list[Draft]:
        """Return a block for the plan as it stands now; none when nothing has changed."""
        content = "\n".join(f"- {_CHECKBOX.get(e.status, '[ ]')} {e.text}" for e in entries)
        if entries == self._plan or not content:
            return []
        self._plan = entries
        drafts = self._end_text()
        block, begun = self._begin(BlockType.PLAN)
        return [*drafts, *begun, self._end(block, content, tool_input=_steps(entries))]

    # --- blocks ---

    def _begin(self, block_type: BlockType, **tool: str) -> tuple[_Block, list[Draft]]:
        drafts: list[Draft] = []
        if self._message_id is None:
            self._message_id = self._new_id()
            drafts.append(make.message_start(message_id=self._message, turn_id=self.turn_id))
        self._blocks_begun += 1
        parent = tool.get("parent_tool_id", "")
        block = _Block(f"{self._message_id}.{self._blocks_begun}", block_type, parent)
        start = make.block_start(
            message_id=self._message, block_id=block.block_id, block_type=block_type, **tool
        )
        return block, [*drafts, start]

    def _end(
        self, block: _Block, content: str, *, html: str | None = None, tool_input: Any = None
    ) -> Draft:
        return make.block_end(
            message_id=self._message,
            block_id=block.block_id,
            content=content,
            html=html,
            tool_input=tool_input,
        )

    @property
    def _message(self) -> str:
        """The id of the message that has begun."""
        if self._message_id is None:
            raise RuntimeError("no message has begun")
        return self._message_id

    # --- the limit ---

    def _admit(self, update: port.Update) -> None:
        self._output_bytes += _size(update)
        if self._output_bytes > self._max_output_bytes:
            raise OutputLimit(f"The answer is longer than {self._max_output_bytes} bytes.")


def _size(update: port.Update) -> int:
    """Return roughly how many bytes an update adds to the log."""
    events, texts = _stored(update)
    return events * EVENT_BYTES + _bytes(*texts)


def _stored(update: port.Update) -> tuple[int, tuple[Any, ...]]:  # noqa: PLR0911 (a table)
    """Return how many events an update makes at most, and the texts in them."""
    match update:
        case port.TextDelta(text) | port.ThinkingDelta(text):
            return 0, (text,)
        case port.ToolCall(tool_id, name, kind, title, tool_input):
            return 1, (tool_id, name, kind, title, tool_input)
        case port.ToolOutput(_, text):
            return 0, (text,)
        case port.ToolDone(tool_id, _, content, shown):
            return 1, (tool_id, content, *shown.texts())
        case port.PermissionAsked(_, tool_id, name, title, tool_input, options, kind, shown):
            # Twice: as the tool's block and as the request.
            twice = (tool_id, name, kind, title, tool_input) * 2
            labels = (text for o in options for text in (o.id, o.kind, o.label))
            return 2, (*twice, *labels, *shown.texts())
        case port.QuestionAsked(_, title, schema):
            return 1, (title, schema)
        case port.PlanUpdate(entries):
            # Each entry twice: as text and as data.
            return 1 + len(entries), tuple(e.text for e in entries) * 2
    return 1, ()


def _call_of(asked: port.PermissionAsked) -> port.ToolCall:
    """Return the call that a request is the first word of."""
    name, kind, title = asked.tool_name, asked.tool_kind, asked.title
    return port.ToolCall(asked.tool_id, name, kind, title, asked.input, parent=asked.parent)


def _steps(entries: tuple[port.PlanEntry, ...]) -> dict[str, Any]:
    steps = [{"text": e.text, "status": e.status, "priority": e.priority} for e in entries]
    return {"entries": steps}


def _usage(turn_id: str, usage: port.Usage) -> Draft:
    return make.usage(
        turn_id=turn_id,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cost_usd=usage.cost_usd,
        context_window=usage.context_window,
    )


def _merged(before: port.ToolCall, call: port.ToolCall) -> port.ToolCall:
    """Return a call with the fields of the one before it where it has none."""
    return port.ToolCall(
        call.tool_id,
        call.name or before.name,
        call.kind or before.kind,
        call.title or before.title,
        before.input if call.input is None else call.input,
        call.parent or before.parent,
    )


def _changes(before: port.ToolCall, now: port.ToolCall, *, has_ended: bool) -> dict[str, Any]:
    """Return the changed fields of a call; the end of its block tells its title and input."""
    changes: dict[str, Any] = {}
    if now.name != before.name:
        changes["tool_name"] = now.name
    if now.kind != before.kind:
        changes["tool_kind"] = now.kind
    if has_ended and now.title != before.title:
        changes["title"] = now.title
    if has_ended and now.input != before.input:
        changes["tool_input"] = now.input
    return changes


def _tool_fields(call: port.ToolCall) -> dict[str, str]:
    return {
        "tool_name": call.name or call.kind or call.title or "tool",
        "tool_id": call.tool_id,
        "tool_kind": call.kind or "other",
        "parent_tool_id": call.parent,
    }


def _bytes(*values: Any) -> int:
    """Return the length of texts as UTF-8, and of anything else as JSON."""
    texts = (v if isinstance(v, str) else json.dumps(v, default=str) for v in values)
    return sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
