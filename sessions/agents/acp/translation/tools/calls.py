"""The tool calls of one turn, each a state that updates change.

An update leaves unchanged fields out, so title, input and output are kept from one to the next,
 and a permission request is completed from the call that it names. Agents use an id again for
another call: that is another occurrence, under an id of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final

from sessions.agents import port
from sessions.agents.acp.translation.content import changes, item_text, paths
from sessions.agents.acp.translation.labels import Ids, label, short_id
from sessions.agents.acp.translation.tools.action import (
    MAX_INPUT_CHARS,
    action_of,
    bounded_input,
    with_title,
)
from sessions.agents.acp.translation.tools.output import Terminal, cut, raw_text
from sessions.agents.acp.translation.tools.shown import diffs_of, files_of, locations_of
from sessions.agents.acp.translation.tools.todos import plan_of
from sessions.agents.acp.translation.updates import NotUnderstood, parent_of
from sessions.agents.content import NOTHING, Shown

Json = dict[str, Any]

# Of the outputs of a turn's open calls together; the rest is left out.
MAX_HELD_CHARS: Final = 8_000_000
TOO_MUCH: Final = "[left out: the open calls of this turn have put out too much]"
# Fields of an input that send a command to the background: claude, gemini, qwen.
IN_BACKGROUND: Final = ("run_in_background", "is_background")
ENDS: Final[dict[str, port.ToolStatus]] = {"completed": "completed", "failed": "failed"}


@dataclass
class Tool:
    """One occurrence of a tool call, as it stands."""

    tool_id: str
    name: str = ""
    kind: str = ""
    title: str = ""
    input: Any = None
    parent: str = ""  # the call of the subagent that made it
    paths: list[str] = field(default_factory=list)
    changes: list[dict[str, str]] = field(default_factory=list)
    words: str = ""  # of its content, without diffs
    text: str = ""  # of its content
    raw: str = ""  # its raw output
    terminal: Terminal = field(default_factory=Terminal)
    shown: Shown = NOTHING
    grown: str | None = None  # the part of its output that was logged; None: it does not run yet
    has_begun: bool = False  # by a tool_call, not by a request alone
    was_asked: bool = False
    status: port.ToolStatus | None = None  # once it has ended

    def take(self, update: Json) -> bool:
        """Change the state by the fields of an update; return whether output was among them."""
        meta = _object(update.get("_meta"))
        self.kind = label(_text(update, "kind")) or self.kind
        self.name = label(_name(update, meta)) or self.name or self.kind
        self.title = _title(update) or self.title
        if _is_told(raw := update.get("rawInput")):
            self.input = bounded_input(raw)
        if isinstance(places := update.get("locations"), list) and places:
            self.paths = paths(places)
            self.shown = replace(self.shown, locations=locations_of(places))
        if update.get("status") == "in_progress" and self.grown is None:
            self.grown = ""
        has_output = self.terminal.take(meta)
        if isinstance(items := update.get("content"), list):
            self._take_content(items)
            has_output = True
        if _is_told(raw := update.get("rawOutput")):
            self.raw = raw_text(raw)
            has_output = True
        if has_output:
            self._take_files(update)
        return has_output

    def _take_files(self, update: Json) -> None:
        items = update.get("content")
        images, resources = files_of(
            items if isinstance(items, list) else [], update.get("rawOutput")
        )
        if images or resources:
            self.shown = replace(self.shown, images=images, resources=resources)

    def _take_content(self, items: list[Any]) -> None:
        """Put content in the place of the content before it."""
        self.changes = changes(items)
        self.shown = replace(self.shown, diffs=diffs_of(items))
        self.text = cut("\n".join(text for item in items if (text := item_text(item))))
        plain = [item for item in items if _object(item).get("type") != "diff"]
        self.words = cut("\n".join(text for item in plain if (text := item_text(item))))

    def contradicts(self, update: Json) -> bool:
        """Return whether an update tells of another call than this one."""
        title, raw = _title(update), update.get("rawInput")
        is_renamed = bool(title and self.title) and title != self.title
        is_other = _is_told(raw) and self.input is not None and bounded_input(raw) != self.input
        return is_renamed or is_other

    def call(self) -> port.ToolCall:
        """Return the call as it stands."""
        title = label(self.title)
        return port.ToolCall(
            self.tool_id, self.name, self.kind, title, self._shown(), parent=self.parent
        )

    def growth(self) -> str:
        """Return the output that has come since the last call, where it only grows."""
        fresh = self.terminal.fresh()
        if self.grown is None or self.changes or not self.words.startswith(self.grown):
            return fresh
        more, self.grown = self.words[len(self.grown) :], self.words
        return more + fresh

    def action(self) -> Any:
        """Return all that is known of the action that a person approves; None for nothing."""
        return action_of(self._shown(), changes=self.changes, paths=self.paths, text=self.words)

    def output(self) -> str:
        """Return the output so far: as it is where the agent tells it raw, else its content.

        Some agents dress their content up with fences or headings.
        """
        if self.raw and not self.changes:
            return self.raw
        parts = (self.text, self.terminal.text())
        return cut("\n".join(part for part in parts if part)) or self.raw

    @property
    def runs_on(self) -> bool:
        """Whether it is under way by its own word, or has begun something in the background."""
        told = self.input if isinstance(self.input, dict) else {}
        is_sent_away = any(told.get(name) is True for name in IN_BACKGROUND)
        return is_sent_away or (self.status is None and self.grown is not None)

    def release(self) -> None:
        """Forget an output that is in the log; a terminal may have more."""
        self.text = self.words = self.raw = ""
        self.grown = None

    def leave_out(self) -> None:
        """Forget an output that is too much."""
        self.release()
        self.text, self.terminal, self.shown = TOO_MUCH, Terminal(), NOTHING

    def size(self) -> int:
        """Return how many characters of output it holds."""
        texts = len(self.text) + len(self.words) + len(self.raw)
        return texts + self.terminal.size + self.shown.size()

    def _shown(self) -> Any:
        """Return the input, and beside it a title that does not fit a label."""
        if label(self.title) == self.title:
            return self.input
        return with_title(self.input, self.title)


class Tools:
    """The calls of one turn, by the agent's own ids."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._current: dict[str, Tool] = {}
        self._told: dict[str, port.ToolCall] = {}
        self._plans: dict[str, port.PlanUpdate] = {}
        self._all: list[Tool] = []
        self._held_chars = 0

    def change(self, kind: str, update: Json) -> list[port.Update]:
        """Return the typed updates of a tool_call or tool_call_update. Raises NotUnderstood."""
        own = update.get("toolCallId")
        if not isinstance(own, str) or not own:
            raise NotUnderstood(f"{kind} without an id")
        tool = self._current.get(short_id(own))
        begins = kind == "tool_call"
        if tool is None or (begins and _is_another(tool, update)):
            tool = self._new(own)
        tool.has_begun = tool.has_begun or begins
        has_output = self._take(tool, update)
        told = [*self._tell(tool), *self._plan(tool)]
        if tool.status is None and (growth := tool.growth()):
            told.append(port.ToolOutput(tool.tool_id, growth))
        return [*told, *self._end(tool, update.get("status"), has_output=has_output)]

    def occurrence(self, own: str) -> str:
        """Return the log's id of the call that the agent means by an id now."""
        tool = self._current.get(short_id(own))
        return tool.tool_id if tool is not None else short_id(own)

    def ask(self, request: Json) -> tuple[list[port.Update], Tool]:
        """Return the call that a permission request names, and its updates.

        The request itself is the first word of a call that was not announced.
        """
        own = _text(request, "toolCallId") or "request"
        tool = self._current.get(short_id(own))
        is_new = tool is None or tool.status is not None
        if tool is None or is_new:
            tool = self._new(own)
        elif tool.was_asked and tool.contradicts(request):
            tool, is_new = self._new(own, name=tool.name, kind=tool.kind), True
        self._take(tool, request)
        tool.was_asked = True
        told = self._tell(tool)
        return ([] if is_new else told), tool

    @property
    def has_running(self) -> bool:
        """Whether a call is under way."""
        return any(tool.status is None for tool in self._all)

    @property
    def background(self) -> int:
        """How many calls run, or have begun something that does."""
        return sum(tool.runs_on for tool in self._all)

    def has_ended(self, own: str) -> bool:
        """Return whether the call that the agent means by an id is known and over."""
        tool = self._current.get(short_id(own))
        return tool is not None and tool.status is not None

    def unfinished(self) -> list[port.Update]:
        """Return the ends of the calls that have an output and were never ended."""
        open_ = [tool for tool in self._all if tool.status is None]
        return [
            port.ToolDone(tool.tool_id, "cancelled", tool.output(), tool.shown)
            for tool in open_
            if tool.output() or tool.shown != NOTHING
        ]

    def _new(self, own: str, *, name: str = "", kind: str = "") -> Tool:
        tool = self._current[short_id(own)] = Tool(self._ids.new(own), name=name, kind=kind)
        self._all.append(tool)
        return tool

    def _take(self, tool: Tool, update: Json) -> bool:
        before = tool.size()
        has_output = tool.take(update)
        if parent := parent_of(update):
            tool.parent = self.occurrence(parent)
        self._held_chars += tool.size() - before
        if self._held_chars > MAX_HELD_CHARS:
            self._held_chars -= tool.size()
            tool.leave_out()
        return has_output

    def _plan(self, tool: Tool) -> list[port.Update]:
        """Return the plan that a call of a to-do list is, where it has changed."""
        plan = plan_of(tool.name or tool.title, tool.input)
        if plan is None or self._plans.get(tool.tool_id) == plan:
            return []
        self._plans[tool.tool_id] = plan
        return [plan]

    def _tell(self, tool: Tool) -> list[port.Update]:
        call = tool.call()
        if self._told.get(tool.tool_id) == call:
            return []
        self._told[tool.tool_id] = call
        return [call]

    def _end(self, tool: Tool, status: Any, *, has_output: bool) -> list[port.Update]:
        """Return the end of a call that has ended now, or whose output has changed since."""
        told = ENDS.get(status) if isinstance(status, str) else None
        is_news = told not in (None, tool.status) or (tool.status is not None and has_output)
        tool.status = told or tool.status
        if tool.status is None or not is_news:
            return []
        done = port.ToolDone(tool.tool_id, tool.status, tool.output(), tool.shown)
        before = tool.size()
        tool.release()
        self._held_chars += tool.size() - before
        return [done]


def _is_another(tool: Tool, update: Json) -> bool:
    """Return whether a beginning under a known id is that of another call."""
    return tool.status is not None or (tool.has_begun and tool.contradicts(update))


def _name(update: Json, meta: Json) -> str:
    """Return the tool's name, which agents send as a field or in their meta."""
    return (
        _text(update, "name")
        or _text(_object(meta.get("claudeCode")), "toolName")
        or _text(meta, "toolName")
    )


def _is_told(value: Any) -> bool:
    """Return whether a field says something: agents send empty ones before they know."""
    return value is not None and value not in ("", {}, [])


def _title(update: Json) -> str:
    return _text(update, "title")[:MAX_INPUT_CHARS]


def _text(fields: Json, name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}
