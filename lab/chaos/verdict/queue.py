"""Waiting prompts that were edited, taken back and moved, held against the log and the agent (I4).

The log tells each command that an agent got: with the text of the last edit, never with an older
one, and a turn that ended well has run it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from lab.chaos.evidence import Evidence, Json, QueueChange, Violation

COMMAND: Final = "/run "


def check_queue(evidence: Evidence) -> Iterator[Violation]:
    """I4: a prompt runs once with the text of its last edit, or is taken back and never runs."""
    for session_id, session in evidence.sessions.items():
        log = _Log()
        for event in session.events:
            for what in log.take(event):
                yield Violation("I4", what, "", session_id, (event["seq"],))
        for name in sorted(log.withdrawn() & {*session.effects}):
            yield Violation("I4", f"prompt {name} was taken back and ran", "", session_id)
    for record in evidence.records:
        for change in record.queue_changes:
            found = evidence.sessions.get(change.session_id)
            if found is None or not any(_tells(event, change) for event in found.events):
                what = f"an accepted change of prompt {change.client_msg_id} is not in the log"
                yield Violation("lost change", what, record.device, change.session_id)


def _tells(event: Json, change: QueueChange) -> bool:
    if event.get("clientMsgId") != change.client_msg_id:
        return False
    told = (event["type"], event.get("text"), event.get("version"))
    if change.text is None:
        return bool(told[0] == "prompt_withdrawn")
    return told == ("prompt_edited", change.text, change.version)


@dataclass(slots=True)
class _Prompt:
    """A prompt by its log. commands: those that its turn told."""

    text: str
    version: int = 1
    is_withdrawn: bool = False
    has_run: bool = False
    commands: list[str] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        return self.has_run or self.is_withdrawn

    def ended(self, stop_reason: str) -> Iterator[str]:
        """Yield how its turn differs from its text."""
        if self.text.startswith(COMMAND):
            wanted = self.text.removeprefix(COMMAND).split()
            for command in self.commands:
                if command.split() != wanted:
                    yield f"ran with another text: {command!r:.60}"
            if stop_reason == "end_turn" and not self.commands:
                yield "ended without its text"


class _Log:
    """The prompts of one log so far, and those that wait. turns, messages: the prompts of each.

    early: a prompt that began before its turn came. One that a stop ends at once never ran.
    """

    def __init__(self) -> None:
        self._prompts: dict[str, _Prompt] = {}
        self._queue: list[str] = []
        self._turns: dict[str, str] = {}
        self._messages: dict[str, str] = {}
        self._early = ""

    def withdrawn(self) -> set[str]:
        """Return the prompts that were taken back."""
        return {name for name, prompt in self._prompts.items() if prompt.is_withdrawn}

    def take(self, event: Json) -> Iterator[str]:
        """Take the next event; yield how it breaks the promise."""
        early, self._early = self._early, ""
        if early and event["type"] != "turn_end":
            yield early
        name = event.get("clientMsgId", "")
        match event["type"]:
            case "user_message" if not event.get("imported"):
                self._prompts.setdefault(name, _Prompt(event["text"]))
                self._queue.append(name)
            case "queue_reordered":
                order = [name for name in event["clientMsgIds"] if name in self._queue]
                self._queue = [*order, *(name for name in self._queue if name not in order)]
            case "message_start" | "block_end" | "turn_end":
                yield from self._work(event)
            case _ if name in self._prompts:
                for what in self._change(name, self._prompts[name], event):
                    yield f"prompt {name} {what}"

    def _change(self, name: str, prompt: _Prompt, event: Json) -> Iterator[str]:
        match event["type"]:
            case "prompt_edited":
                if prompt.is_over or event["version"] != prompt.version + 1:
                    yield f"was edited too late, to version {event['version']}"
                prompt.text, prompt.version = event["text"], event["version"]
            case "prompt_withdrawn":
                if prompt.is_over:
                    yield "was taken back when it was over"
                prompt.is_withdrawn = True
                self._leave(name)
            case "turn_start":
                if prompt.is_withdrawn:
                    yield "was taken back and ran"
                elif self._queue and self._queue[0] != name:
                    self._early = f"prompt {name} ran before {self._queue[0]}"
                prompt.has_run = True
                self._turns[event["turnId"]] = name
                self._leave(name)

    def _work(self, event: Json) -> Iterator[str]:
        """Take an event of an answer: its prompt is that of the turn."""
        if event["type"] == "message_start":
            self._messages[event["messageId"]] = self._turns.get(event["turnId"], "")
        elif event["type"] == "turn_end":
            name = self._turns.get(event["turnId"], "")
            if name in self._prompts:
                for what in self._prompts[name].ended(event["stopReason"]):
                    yield f"prompt {name} {what}"
        else:
            prompt = self._prompts.get(self._messages.get(event["messageId"], ""))
            told = event.get("input")
            if prompt is not None and isinstance(told, dict) and told.get("command"):
                prompt.commands.append(told["command"])

    def _leave(self, name: str) -> None:
        if name in self._queue:
            self._queue.remove(name)
